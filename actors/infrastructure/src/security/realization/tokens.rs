//! Tokens: JWT signed with Ed25519, verified once and then remembered.

use super::jwt_provider;
use crate::security::essence::TokenClaims;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lru::LruCache;
use octopussy_core::ports::{AuthError, Principal};
use octopussy_core::time::Timestamp;
use parking_lot::Mutex;
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256};
use std::num::NonZeroUsize;

/// The longest token: ours have about 300 bytes.
const MAX_TOKEN: usize = 4096;

/// A pair of keys with its name.
pub(crate) struct TokenKey {
    id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl TokenKey {
    /// The pair that grows from a seed; `None` only when ring refuses the seed.
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        let public = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = public.public_key().as_ref();
        Some(Self {
            id: hex::encode(&Sha256::digest(public)[..8]),
            signing: EncodingKey::from_ed_der(seed),
            verifying: DecodingKey::from_ed_der(public),
        })
    }
}

/// Issues tokens with the first key and verifies those of all keys it has.
pub(crate) struct TokenAuthority {
    /// The one that signs comes first.
    keys: Vec<TokenKey>,
    validation: Validation,
    /// Verified tokens by their SHA-256, so that the tokens themselves are not kept.
    verified: Mutex<LruCache<[u8; 32], Principal>>,
}

impl TokenAuthority {
    pub(crate) fn new(keys: Vec<TokenKey>, issuer: &str, audience: &str, cache: NonZeroUsize) -> Self {
        jwt_provider::install();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Expiry is checked against the node's clock, at every use and to the second.
        validation.validate_exp = false;
        Self { keys, validation, verified: Mutex::new(LruCache::new(cache)) }
    }

    /// A token with these claims; none only when the key cannot sign, which its construction has ruled out.
    pub(crate) fn issue(&self, claims: &TokenClaims) -> Option<String> {
        let key = self.keys.first()?;
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &key.signing)
            .inspect_err(|error| tracing::error!(%error, "a token could not be signed"))
            .ok()
    }

    /// The principal behind a token.
    pub(crate) fn authenticate(&self, token: &str, now: Timestamp) -> Result<Principal, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > MAX_TOKEN {
            return Err(AuthError::Invalid);
        }
        let digest = digest(token);
        let remembered = self.verified.lock().get(&digest).cloned();
        let principal = match remembered {
            Some(principal) => principal,
            None => {
                let principal = self.verify(token)?;
                if now <= principal.expires_at {
                    self.verified.lock().put(digest, principal.clone());
                }
                principal
            }
        };
        if now > principal.expires_at { Err(AuthError::Expired) } else { Ok(principal) }
    }

    /// Whether the key that signs now has signed this token, as it says.
    pub(crate) fn is_current(&self, token: &str) -> bool {
        let named = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
        self.keys.first().is_some_and(|key| named.as_ref() == Some(&key.id))
    }

    fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        let id = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Invalid)?.kid.ok_or(AuthError::Invalid)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(AuthError::Invalid)?;
        jsonwebtoken::decode::<TokenClaims>(token, &key.verifying, &self.validation)
            .map(|data| data.claims.principal())
            .map_err(|_| AuthError::Invalid)
    }
}

fn digest(token: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ports::PrincipalRole;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn authority(seeds: &[u8], issuer: &str) -> TokenAuthority {
        let keys = seeds.iter().map(|seed| TokenKey::from_seed(&[*seed; 32]).unwrap()).collect();
        TokenAuthority::new(keys, issuer, "octopussy", NonZeroUsize::new(4).unwrap())
    }

    fn claims(issuer: &str) -> TokenClaims {
        let (of, lifetime) = ((issuer, "octopussy"), Duration::from_secs(60));
        TokenClaims::new(of, [1; 8], "ada", PrincipalRole::Operator, NOW, lifetime)
    }

    #[test]
    fn a_token_counts_until_it_expires() {
        let authority = authority(&[1], "here");
        let token = authority.issue(&claims("here")).unwrap();
        for _ in 0..2 {
            let principal = authority.authenticate(&token, NOW).unwrap();
            assert_eq!((principal.name.as_str(), principal.role), ("ada", PrincipalRole::Operator));
            assert_eq!(&*principal.token, "0101010101010101");
        }
        let late = NOW.plus(Duration::from_secs(61));
        assert_eq!(authority.authenticate(&token, late), Err(AuthError::Expired));
        assert_eq!(authority.authenticate("", NOW), Err(AuthError::Missing));
        assert_eq!(authority.authenticate(&"x".repeat(100_000), NOW), Err(AuthError::Invalid));
    }

    #[test]
    fn what_was_changed_or_comes_from_elsewhere_does_not_count() {
        let ours = authority(&[1], "here");
        let token = ours.issue(&claims("here")).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let other = ours.issue(&TokenClaims { role: PrincipalRole::Admin, ..claims("here") }).unwrap();
        let spliced = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
        for bad in [
            spliced,
            none,
            ours.issue(&claims("elsewhere")).unwrap(),
            authority(&[2], "here").issue(&claims("here")).unwrap(),
        ] {
            assert_eq!(ours.authenticate(&bad, NOW), Err(AuthError::Invalid), "{bad}");
        }
    }

    #[test]
    fn the_key_before_still_verifies() {
        let token = authority(&[1], "here").issue(&claims("here")).unwrap();
        assert!(authority(&[2, 1], "here").authenticate(&token, NOW).is_ok());
        assert_eq!(authority(&[3, 2], "here").authenticate(&token, NOW), Err(AuthError::Invalid));
    }

    /// Measures speed: `cargo test --release -p octopussy-infrastructure --all-features speed -- --ignored --nocapture --test-threads=1`.
    #[test]
    #[ignore = "a measurement, for an optimised build on a quiet machine"]
    fn authenticate_speed() {
        let authority = authority(&[1], "here");
        let token = authority.issue(&claims("here")).unwrap();
        let begun = std::time::Instant::now();
        for _ in 0..200_000 {
            assert!(std::hint::black_box(authority.authenticate(std::hint::black_box(&token), NOW)).is_ok());
        }
        println!("authenticate, remembered, {} bytes: {:?}", token.len(), begun.elapsed() / 200_000);
    }
}
