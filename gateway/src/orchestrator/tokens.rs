//! What clients do with tokens: those of the interfaces they make for users and programs, list and revoke, and those for joining they make
//! for machines and withdraw.

use super::adaptation::Orchestrator;
use super::essence;
use octopussy_core::ports::{
    Action, ApiTokenInfo, IssuedToken, JoinTokenView, MemberRole, NewApiToken, NewJoinToken, Principal, PrincipalRole,
    TokenUse,
};
use octopussy_core::problem::{Code, Problem};
use std::time::Duration;

impl Orchestrator {
    /// Makes a token. It is handed out only once the cluster has noted it, so that none is good that cannot be revoked.
    pub(super) async fn make_token(
        &self,
        principal: &Principal,
        name: &str,
        role: PrincipalRole,
        valid_for: Duration,
    ) -> Result<IssuedToken, Problem> {
        self.allow(principal, Action::ManageTokens)?;
        essence::api_token(name, valid_for)?;
        let what = format!("{name}, {}, {} s", role.name(), valid_for.as_secs());
        self.announce(principal, "token.create", &what).await?;
        let issued = self.ports().security.issue_token(name, role, valid_for);
        let made = match issued {
            Some(issued) => {
                let (id, by) = (issued.id.clone(), principal.into());
                let token = NewApiToken { id, name: name.to_owned(), role, expires_at: issued.expires_at, by };
                self.ports().api_tokens.note(token).await.map(|()| issued)
            }
            None => Err(Problem::new(Code::Internal, "no token could be signed: see the node's log")),
        };
        let id = made.as_ref().map_or_else(|_| String::new(), |issued| format!("{}, ", issued.id));
        self.audit(principal, "token.create", format!("{id}{what}"), &made);
        made
    }

    /// The tokens there are.
    pub(super) fn listed_tokens(&self, principal: &Principal) -> Result<Vec<ApiTokenInfo>, Problem> {
        self.allow(principal, Action::ManageTokens)?;
        Ok(self.ports().api_tokens.list())
    }

    /// Revokes a token.
    pub(super) async fn end_token(&self, principal: &Principal, id: &str) -> Result<(), Problem> {
        self.allow(principal, Action::ManageTokens)?;
        self.announce(principal, "token.revoke", &essence::shortened(id)).await?;
        let ended = self.ports().api_tokens.revoke(id, &principal.into()).await;
        self.audit(principal, "token.revoke", essence::shortened(id), &ended);
        ended
    }

    /// Makes a join token.
    pub(super) async fn make_join_token(
        &self,
        principal: &Principal,
        uses: TokenUse,
        role: MemberRole,
        valid_for: Duration,
    ) -> Result<JoinTokenView, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        essence::token_lifetime(valid_for)?;
        let what = format!("{role:?}, {uses:?}, {} s", valid_for.as_secs());
        self.announce(principal, "cluster.token", &what).await?;
        let by = principal.into();
        let token = self.ports().cluster.create_token(NewJoinToken { uses, role, valid_for, by }).await;
        let made = token.as_ref().map_or_else(|_| String::new(), |token| format!("{}, ", token.id));
        self.audit(principal, "cluster.token", format!("{made}{what}"), &token);
        token
    }

    /// Withdraws a join token.
    pub(super) async fn end_join_token(&self, principal: &Principal, id: &str) -> Result<(), Problem> {
        self.allow(principal, Action::ManageCluster)?;
        self.announce(principal, "cluster.revoke_token", &essence::shortened(id)).await?;
        let revoked = self.ports().cluster.revoke_token(&principal.into(), id).await;
        self.audit(principal, "cluster.revoke_token", essence::shortened(id), &revoked);
        revoked
    }
}
