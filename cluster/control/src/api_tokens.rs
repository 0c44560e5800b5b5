//! The tokens with which clients speak to the interfaces: noted, revoked, forgotten. A token says for itself what it allows and until when;
//! what is kept here is which there are, and which of them are good no longer.

use crate::limits::{MAX_API_TOKENS, MAX_NAME_BYTES, MAX_OWN_API_TOKENS, TOKEN_MEMORY};
use crate::{ControlApplied, ControlRefusal, ControlState, TokenMaker};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{MAX_API_TOKEN_LIFETIME, MAX_API_TOKEN_NAME, MemberDesired, MemberRole, PrincipalRole};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Names a token of the interfaces: sixteen hexadecimal digits that stand in it.
pub type ApiTokenId = String;

/// Who is said to have revoked the token of a node that has left.
const BY_LEAVING: &str = "its node has left";

/// A token of the interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Whose it is.
    pub name: String,
    /// What it allows.
    pub role: PrincipalRole,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// Who asked for it, and where.
    pub made_by: TokenMaker,
    /// Whether the node made it for the credentials in its own home.
    pub own: bool,
    /// Who revoked it, when somebody has.
    pub revoked: Option<TokenMaker>,
}

impl ApiToken {
    /// Whether nothing needs to be remembered of it any more: it ended a day before `now`, so that no member's clock still takes it for good.
    fn is_forgotten(&self, now: Timestamp) -> bool {
        self.expires_at.plus(TOKEN_MEMORY) <= now
    }

    fn is_acceptable(&self, id: &str, now: Timestamp) -> Result<(), ControlRefusal> {
        let wrong = |why: &str| Err(ControlRefusal::BadApiToken(why.to_owned()));
        if id.len() != 16 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return wrong("its id is not sixteen hexadecimal digits");
        }
        if self.name.is_empty() || self.name.len() > MAX_API_TOKEN_NAME || self.name.chars().any(char::is_control) {
            return Err(ControlRefusal::BadApiToken(format!(
                "its name has 1 to {MAX_API_TOKEN_NAME} bytes and no control characters"
            )));
        }
        if self.made_by.principal.len() > MAX_NAME_BYTES {
            return wrong("the name of whoever made it is too long");
        }
        if self.expires_at <= now {
            return wrong("it has expired");
        }
        if self.expires_at > now.plus(MAX_API_TOKEN_LIFETIME + TOKEN_MEMORY) {
            return wrong("it is good for more than a year");
        }
        if self.revoked.is_some() {
            return wrong("it is revoked already");
        }
        Ok(())
    }
}

impl ControlState {
    /// Whether the token with this id was revoked.
    #[must_use]
    pub fn is_revoked(&self, id: &str) -> bool {
        self.api_tokens.get(id).is_some_and(|token| token.revoked.is_some())
    }

    /// Whether a `Tick` at `now` would forget a token of the interfaces.
    pub(crate) fn has_ended_api_tokens(&self, now: Timestamp) -> bool {
        self.api_tokens.values().any(|token| token.is_forgotten(now))
    }

    pub(crate) fn forget_api_tokens(&mut self) {
        let now = self.now;
        self.api_tokens.retain(|_, token| !token.is_forgotten(now));
    }

    pub(crate) fn add_api_token(
        &mut self,
        id: ApiTokenId,
        token: ApiToken,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        let now = self.at(now);
        let node = token.made_by.node;
        let maker = self.members.get(&node).ok_or(ControlRefusal::UnknownMember(node))?;
        if maker.role == MemberRole::Guest || maker.desired == MemberDesired::Leaving {
            return Err(ControlRefusal::BadApiToken("a guest, or a member that is leaving, makes none".to_owned()));
        }
        token.is_acceptable(&id, now)?;
        match self.api_tokens.get(&id) {
            // The answer to the first one was lost; that it was revoked since is kept.
            Some(known) if known.name == token.name && known.role == token.role && known.made_by.node == node => {
                self.pass(now);
                return Ok(ControlApplied::Done);
            }
            Some(_) => return Err(ControlRefusal::BadApiToken("another one has the same id".to_owned())),
            None => {}
        }
        let spare = token.own.then(|| self.spare_own_token(node)).flatten();
        let remembered = self.api_tokens.values().filter(|token| !token.is_forgotten(now)).count();
        if remembered - usize::from(spare.is_some()) >= MAX_API_TOKENS {
            return Err(ControlRefusal::TooMany { what: "tokens of the interfaces".to_owned(), limit: MAX_API_TOKENS });
        }
        self.pass(now);
        self.forget_api_tokens();
        if let Some(spare) = spare {
            self.api_tokens.remove(&spare);
        }
        self.api_tokens.insert(id, token);
        Ok(ControlApplied::Done)
    }

    /// The oldest of a node's own tokens, when it has as many as it may. A node makes another when the key is replaced, so that those
    /// before end soon. One that was revoked is never spared: that it was has to be remembered.
    fn spare_own_token(&self, node: NodeId) -> Option<ApiTokenId> {
        let of_node = |token: &ApiToken| token.own && token.made_by.node == node && token.revoked.is_none();
        let own = || self.api_tokens.iter().filter(|(_, token)| of_node(token));
        if own().count() < MAX_OWN_API_TOKENS {
            return None;
        }
        own().min_by_key(|(id, token)| (token.made_by.at, *id)).map(|(id, _)| id.clone())
    }

    pub(crate) fn revoke_api_token(
        &mut self,
        id: &str,
        by: TokenMaker,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        if by.principal.len() > MAX_NAME_BYTES {
            return Err(ControlRefusal::BadApiToken("the name of whoever revokes it is too long".to_owned()));
        }
        let token = self.api_tokens.get_mut(id).ok_or(ControlRefusal::UnknownApiToken)?;
        token.revoked.get_or_insert(by);
        self.pass(now);
        Ok(ControlApplied::Done)
    }

    /// Revokes what a node that has left made for its own home.
    pub(crate) fn revoke_own_tokens_of(&mut self, node: NodeId) {
        let by = TokenMaker { node, principal: BY_LEAVING.to_owned(), at: self.now };
        for token in self.api_tokens.values_mut().filter(|token| token.own && token.made_by.node == node) {
            token.revoked.get_or_insert_with(|| by.clone());
        }
    }
}
