//! The shipped profiles: they choose sizes, addresses and log formats, never what an agent is.

use std::fmt;
use std::str::FromStr;

/// The kind of place a node runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// A single-board computer.
    Sbc,
    /// Somebody's own machine.
    #[default]
    Local,
    /// A container.
    Docker,
    /// A pod.
    Kubernetes,
}

/// No such profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a profile: expected one of SBC, LOCAL, DOCKER, KUBERNETES")]
pub struct ParseProfileError(pub String);

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::Sbc, Self::Local, Self::Docker, Self::Kubernetes];

    /// The name used outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sbc => "SBC",
            Self::Local => "LOCAL",
            Self::Docker => "DOCKER",
            Self::Kubernetes => "KUBERNETES",
        }
    }

    /// The shipped file's name, as provenance shows it.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Sbc => "profiles/sbc.yaml",
            Self::Local => "profiles/local.yaml",
            Self::Docker => "profiles/docker.yaml",
            Self::Kubernetes => "profiles/kubernetes.yaml",
        }
    }

    /// The shipped file's text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Sbc => include_str!("../profiles/sbc.yaml"),
            Self::Local => include_str!("../profiles/local.yaml"),
            Self::Docker => include_str!("../profiles/docker.yaml"),
            Self::Kubernetes => include_str!("../profiles/kubernetes.yaml"),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = ParseProfileError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| ParseProfileError(text.to_owned()))
    }
}
