//! The store's document: sealed values by name.

use octopussy_core::ports::SecretError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format this build writes.
pub const FORMAT_VERSION: u32 = 1;

/// The largest secret: room for a certificate chain, not for a document.
pub const MAX_SECRET_BYTES: usize = 65_536;

/// What the check value decrypts to; when it does not, the key is another one.
pub const CHECK_TEXT: &[u8] = b"octopussy secret store";

/// A sealed value: AES-256-GCM with a random nonce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSecret {
    /// Counts the changes of this name; part of what the seal is bound to.
    pub version: u64,
    /// Twelve random bytes, hex.
    pub nonce: String,
    /// The ciphertext with its tag, base64.
    pub sealed: String,
}

/// The file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreDocument {
    /// The format's version.
    pub format: u32,
    /// [`CHECK_TEXT`], sealed.
    pub check: SealedSecret,
    /// The secrets.
    pub secrets: BTreeMap<String, SealedSecret>,
}

/// What a seal is bound to: the name and version behind their lengths, so that no value can be moved to another name or an
/// older value be put back under the present version.
#[must_use]
pub fn sealed_context(name: &str, version: u64) -> Vec<u8> {
    let mut context = b"octopussy secret v1".to_vec();
    context.extend((name.len() as u64).to_be_bytes());
    context.extend(name.as_bytes());
    context.extend(version.to_be_bytes());
    context
}

/// Refuses values over the bound.
///
/// # Errors
/// [`SecretError::TooLarge`].
pub const fn check_size(bytes: usize) -> Result<(), SecretError> {
    if bytes > MAX_SECRET_BYTES { Err(SecretError::TooLarge(bytes)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_two_names_or_versions_share_a_context(a in "[a-z./]{1,20}", b in "[a-z./]{1,20}", v in 0u64..9, w in 0u64..9) {
            let same = (a.as_str(), v) == (b.as_str(), w);
            proptest::prop_assert_eq!(sealed_context(&a, v) == sealed_context(&b, w), same);
        }
    }

    #[test]
    fn the_bound_is_inclusive() {
        assert!(check_size(MAX_SECRET_BYTES).is_ok());
        assert!(matches!(check_size(MAX_SECRET_BYTES + 1), Err(SecretError::TooLarge(65_537))));
    }
}
