//! Who comes with which token.

use super::clock::MachineClock;
use octopussy_core::ids::PartyId;
use octopussy_core::message::{KeyId, Keyring, Message, MessageDraft, SigningKey, VerifyError};
use octopussy_core::ports::{
    Action, AuthError, GuardrailVerdict, IssuedToken, Principal, PrincipalRole, ScanVerdict, SecurityPort,
};
use octopussy_core::time::{Clock, Timestamp};
use std::time::Duration;
use uuid::Uuid;

/// Knows the tokens `admin`, `viewer`, `brief` (good for a moment), `passing` (revoked in a moment), `expired` and `revoked`.
pub(super) struct Tokens(Keyring, Timestamp);

impl Default for Tokens {
    fn default() -> Self {
        Self(Keyring::new(SigningKey::new(KeyId(1), [7; 32])), MachineClock.now())
    }
}

impl SecurityPort for Tokens {
    fn authenticate(&self, token: &str) -> Result<Principal, AuthError> {
        let (role, lifetime) = match token {
            "admin" | "passing" => (PrincipalRole::Admin, Duration::from_secs(3600)),
            "viewer" => (PrincipalRole::Viewer, Duration::from_secs(3600)),
            "brief" => (PrincipalRole::Admin, Duration::from_millis(300)),
            "expired" => return Err(AuthError::Expired),
            "revoked" => return Err(AuthError::Revoked),
            _ => return Err(AuthError::Invalid),
        };
        let expires_at = MachineClock.now().plus(lifetime);
        let (name, party) = (token.to_owned(), PartyId::from_uuid(Uuid::nil()));
        Ok(Principal { name, party, role, expires_at, token: token.into() })
    }
    fn authorize(&self, principal: &Principal, action: Action) -> bool {
        principal.role >= action.requires()
    }
    fn is_good(&self, principal: &Principal) -> bool {
        &*principal.token != "passing" || MachineClock.now() < self.1.plus(Duration::from_secs(1))
    }
    fn issue_token(&self, _: &str, _: PrincipalRole, _: Duration) -> Option<IssuedToken> {
        None
    }
    fn is_current(&self, _: &str) -> bool {
        true
    }
    fn scan_prompt(&self, _: &str) -> ScanVerdict {
        ScanVerdict::Clean
    }
    fn validate_output(&self, _: &str) -> GuardrailVerdict {
        GuardrailVerdict::Pass
    }
    fn sign(&self, draft: MessageDraft) -> Message {
        self.0.sign(draft)
    }
    fn verify(&self, message: &Message) -> Result<(), VerifyError> {
        self.0.verify(message)
    }
}
