//! Join tokens: made, shown, used up, forgotten.

use crate::limits::{MAX_NAME_BYTES, MAX_NODES, MAX_TOKEN_LIFETIME, MAX_TOKENS, TOKEN_MEMORY};
use crate::{ControlApplied, ControlRefusal, ControlState, JoinToken, TokenId};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{MemberDesired, MemberRole, TokenUse};
use octopussy_core::time::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

impl JoinToken {
    /// What the cluster keeps of a token's secret: its SHA-256.
    #[must_use]
    pub fn digest_of(secret: &[u8]) -> [u8; 32] {
        Sha256::digest(secret).into()
    }

    /// The id of the token whose secret has this digest.
    #[must_use]
    pub fn id_of(digest: &[u8; 32]) -> TokenId {
        hex::encode(&digest[..8])
    }

    /// Whether nothing needs to be remembered of it any more: it expired a day before `now`.
    pub(crate) fn is_forgotten(&self, now: Timestamp) -> bool {
        self.expires_at.plus(TOKEN_MEMORY) <= now
    }
}

impl ControlState {
    /// Whether a `Tick` at `now` would forget a token or a key.
    #[must_use]
    pub fn wants_tick(&self, now: Timestamp) -> bool {
        self.tokens.values().any(|token| token.is_forgotten(now))
            || self.has_spent_keys(now)
            || self.has_ended_api_tokens(now)
    }

    pub(crate) fn forget_tokens(&mut self) {
        let now = self.now;
        self.tokens.retain(|_, token| !token.is_forgotten(now));
    }

    pub(crate) fn add_token(
        &mut self,
        id: TokenId,
        token: JoinToken,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        let now = self.at(now);
        if id != JoinToken::id_of(&token.digest) {
            return Err(ControlRefusal::BadToken("its id does not follow from its digest".to_owned()));
        }
        if token.expires_at <= now {
            return Err(ControlRefusal::TokenExpired);
        }
        if token.expires_at > now.plus(MAX_TOKEN_LIFETIME) {
            let days = MAX_TOKEN_LIFETIME.as_secs() / (24 * 60 * 60);
            return Err(ControlRefusal::BadToken(format!("it is valid for more than {days} days")));
        }
        if !token.used_by.is_empty() {
            return Err(ControlRefusal::TokenUsed);
        }
        if token.made_by.principal.len() > MAX_NAME_BYTES {
            return Err(ControlRefusal::BadToken("the name of whoever made it is too long".to_owned()));
        }
        let maker = self.members.get(&token.made_by.node).ok_or(ControlRefusal::UnknownMember(token.made_by.node))?;
        if maker.role == MemberRole::Guest || maker.desired == MemberDesired::Leaving {
            return Err(ControlRefusal::BadToken("a guest, or a member that is leaving, lets nobody in".to_owned()));
        }
        match self.tokens.get(&id) {
            // Its end is counted from when the leader took it, which was earlier for the first one.
            Some(known) if known.digest == token.digest && known.uses == token.uses && known.role == token.role => {
                // The answer to the first one was lost; who has used it since is kept.
                self.pass(now);
                return Ok(ControlApplied::Done);
            }
            Some(_) => return Err(ControlRefusal::BadToken("another one has the same id".to_owned())),
            None => {}
        }
        let remembered = self.tokens.values().filter(|token| !token.is_forgotten(now)).count();
        if remembered >= MAX_TOKENS {
            return Err(ControlRefusal::TooMany { what: "join tokens".to_owned(), limit: MAX_TOKENS });
        }
        self.pass(now);
        self.forget_tokens();
        self.tokens.insert(id, token);
        Ok(ControlApplied::Done)
    }

    pub(crate) fn revoke_token(&mut self, id: &str, now: Timestamp) -> Result<ControlApplied, ControlRefusal> {
        if self.tokens.remove(id).is_none() {
            return Err(ControlRefusal::UnknownToken);
        }
        self.pass(now);
        Ok(ControlApplied::Done)
    }

    /// Withdraws what `node` made: whoever is sent away invites nobody any more.
    pub(crate) fn withdraw_tokens_of(&mut self, node: NodeId) {
        self.tokens.retain(|_, token| token.made_by.node != node);
    }

    /// The token with this digest, when `node` may join with it at `now`.
    pub(crate) fn usable_token(
        &self,
        digest: &[u8; 32],
        node: NodeId,
        now: Timestamp,
    ) -> Result<TokenId, ControlRefusal> {
        // All of them are compared, each in constant time: how long the answer takes tells nothing of any digest.
        let mut found = None;
        for (id, token) in &self.tokens {
            if bool::from(token.digest.ct_eq(digest)) {
                found = Some((id, token));
            }
        }
        let (id, token) = found.ok_or(ControlRefusal::UnknownToken)?;
        if token.expires_at <= now {
            return Err(ControlRefusal::TokenExpired);
        }
        if token.used_by.contains(&node) {
            return Ok(id.clone());
        }
        match token.uses {
            TokenUse::Single if !token.used_by.is_empty() => Err(ControlRefusal::TokenUsed),
            TokenUse::Single => Ok(id.clone()),
            TokenUse::Timed if token.used_by.len() >= MAX_NODES => {
                Err(ControlRefusal::TooMany { what: "uses of a token".to_owned(), limit: MAX_NODES })
            }
            TokenUse::Timed => Ok(id.clone()),
        }
    }

    pub(crate) fn use_token(&mut self, id: &str, node: NodeId) {
        if let Some(token) = self.tokens.get_mut(id)
            && !token.used_by.contains(&node)
        {
            token.used_by.push(node);
        }
    }
}
