//! What a token claims.

use octopussy_core::ids::PartyId;
use octopussy_core::ports::{MAX_API_TOKEN_LIFETIME, Principal, PrincipalRole};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The claims of a token. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// Who issued it.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// Whose it is.
    pub sub: String,
    /// What they may do.
    pub role: PrincipalRole,
    /// Since when.
    pub iat: u64,
    /// Until when.
    pub exp: u64,
    /// Its id: it is listed and revoked by it.
    pub jti: String,
}

impl TokenClaims {
    /// Claims for a user from `now` on, of the issuer and for the audience `of`; the lifetime is cut to [`MAX_API_TOKEN_LIFETIME`].
    #[must_use]
    pub fn new(
        of: (&str, &str),
        id: [u8; 8],
        name: &str,
        role: PrincipalRole,
        now: Timestamp,
        lifetime: Duration,
    ) -> Self {
        let seconds = |at: Timestamp| at.as_millis() / 1000;
        Self {
            iss: of.0.to_owned(),
            aud: of.1.to_owned(),
            sub: name.to_owned(),
            role,
            iat: seconds(now),
            exp: seconds(now.plus(lifetime.min(MAX_API_TOKEN_LIFETIME))),
            jti: hex::encode(id),
        }
    }

    /// When it stops being good.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.exp.saturating_mul(1000))
    }

    /// Who the claims say it is.
    #[must_use]
    pub fn principal(self) -> Principal {
        Principal {
            party: party_of_user(&self.sub),
            expires_at: self.expires_at(),
            name: self.sub,
            role: self.role,
            token: self.jti.into(),
        }
    }
}

/// As which party a user sends messages: the same on every node, and never an agent's.
#[must_use]
pub fn party_of_user(name: &str) -> PartyId {
    let digest = hex::encode(Sha256::new().chain_update(b"octopussy user name\0").chain_update(name).finalize());
    let id =
        format!("{}-{}-8{}-8{}-{}", &digest[..8], &digest[8..12], &digest[12..15], &digest[15..18], &digest[18..30]);
    id.parse().unwrap_or_else(|_| unreachable!("hexadecimal digits in the shape of a UUID are a UUID"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ids::AgentId;

    #[test]
    fn users_have_parties_of_their_own() {
        assert_eq!(party_of_user("ada"), party_of_user("ada"));
        assert_ne!(party_of_user("ada"), party_of_user("bob"));
        assert_ne!(party_of_user("ada"), PartyId::from(AgentId::from_name("ada")));
    }

    #[test]
    fn lifetimes_are_bounded() {
        let claims = TokenClaims::new(("i", "a"), [7; 8], "ada", PrincipalRole::User, Timestamp::EPOCH, Duration::MAX);
        assert_eq!(claims.exp, MAX_API_TOKEN_LIFETIME.as_secs());
        assert_eq!(&*claims.principal().token, "0707070707070707");
    }
}
