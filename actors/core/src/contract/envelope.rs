//! The evolution envelope of a contract.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A semantic version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Incompatible changes.
    pub major: u16,
    /// Compatible additions.
    pub minor: u16,
    /// Repairs.
    pub patch: u16,
}

impl Version {
    /// A version from its parts.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// How a contract evolves without surprising those who use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// The contract's version.
    pub version: Version,
    /// The oldest client of this contract that is still served.
    pub minimum_client: Version,
    /// How many months a part is still served after it has been announced as deprecated.
    pub deprecation_notice_months: u8,
    /// Where the way from one major version to the next is described.
    pub migration_guide: &'static str,
}

impl Envelope {
    /// The first version of a contract, under the common policy of twelve months' notice.
    #[must_use]
    pub const fn initial() -> Self {
        Self {
            version: Version::new(1, 0, 0),
            minimum_client: Version::new(1, 0, 0),
            deprecation_notice_months: 12,
            migration_guide: "docs/migration.md",
        }
    }
}
