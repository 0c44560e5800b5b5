//! The tokens of the interfaces, kept by the control group: every full member has the list in memory.

use super::control_group::ControlGroup;
use async_trait::async_trait;
use octopussy_control::{ApiToken, ControlCommand, ControlRefusal, ControlState, TokenMaker};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{ApiTokenInfo, ApiTokensPort, Asker, NewApiToken};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_shard::ControlError;
use std::sync::Arc;

/// The list, from this node.
pub(crate) struct ApiTokens {
    /// This node.
    pub(crate) node: NodeId,
    /// The control group.
    pub(crate) group: Arc<dyn ControlGroup>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

impl ApiTokens {
    fn maker(&self, asker: &Asker, at: Timestamp) -> TokenMaker {
        TokenMaker { node: self.node, principal: asker.name().unwrap_or_default().to_owned(), at }
    }
}

#[async_trait]
impl ApiTokensPort for ApiTokens {
    fn is_revoked(&self, id: &str) -> bool {
        self.group.control().is_revoked(id)
    }

    fn list(&self) -> Vec<ApiTokenInfo> {
        listed(&self.group.control())
    }

    async fn note(&self, token: NewApiToken) -> Result<(), Problem> {
        let NewApiToken { id, name, role, expires_at, by } = token;
        if self.group.control().api_tokens.contains_key(&*id) {
            return Ok(());
        }
        let now = self.clock.now();
        let (own, made_by) = (by == Asker::Node, self.maker(&by, now));
        let token = ApiToken { name, role, expires_at, made_by, own, revoked: None };
        self.group.propose_for(by, ControlCommand::AddApiToken { id: id.to_string(), token, now }).await?;
        Ok(())
    }

    async fn revoke(&self, id: &str, asker: &Asker) -> Result<(), Problem> {
        let now = self.clock.now();
        let by = self.maker(asker, now);
        match self.group.propose_for(asker.clone(), ControlCommand::RevokeApiToken { id: id.to_owned(), by, now }).await
        {
            Ok(_) => {
                tracing::info!(token.id = id, "a token was revoked");
                Ok(())
            }
            Err(ControlError::Refused(ControlRefusal::UnknownApiToken)) => {
                let unknown = Problem::new(Code::UnknownApiToken, format!("there is no token '{id}'"));
                Err(unknown.hint("`octopussy token list` shows those there are"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The tokens of the control state, the newest first.
fn listed(control: &ControlState) -> Vec<ApiTokenInfo> {
    let name = |node: &NodeId| control.members.get(node).map_or_else(|| node.to_string(), |member| member.name.clone());
    let mut tokens: Vec<ApiTokenInfo> = control
        .api_tokens
        .iter()
        .filter(|(_, token)| token.expires_at > control.now)
        .map(|(id, token)| ApiTokenInfo {
            id: id.clone(),
            name: token.name.clone(),
            role: token.role,
            expires_at: token.expires_at,
            made_at: token.made_by.at,
            made_by: token.made_by.principal.clone(),
            made_at_node: name(&token.made_by.node),
            own: token.own,
            revoked: token.revoked.as_ref().map(|by| (by.at, by.principal.clone())),
        })
        .collect();
    tokens.sort_by(|a, b| b.made_at.cmp(&a.made_at).then_with(|| a.id.cmp(&b.id)));
    tokens
}

#[cfg(test)]
mod tests {
    use super::super::control_group::AloneInMemory;
    use super::*;
    use octopussy_control::{ClusterRecord, MemberRecord, VersionRange};
    use octopussy_core::ids::ShardCount;
    use octopussy_core::ports::{MemberDesired, MemberRole, PrincipalRole};

    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(5_000)
        }
    }

    fn tokens() -> ApiTokens {
        let node = NodeId([1; 16]);
        let founder = MemberRecord {
            id: node,
            name: "attic".to_owned(),
            addresses: Vec::new(),
            role: MemberRole::Full,
            desired: MemberDesired::Active,
            capacity: 1,
            zone: None,
            versions: VersionRange { min: 1, max: 1 },
            joined_at: Timestamp::EPOCH,
        };
        let cluster = ClusterRecord {
            id: "c".to_owned(),
            shards: ShardCount::new(1).unwrap(),
            replication: 1,
            founded_at: Timestamp::from_millis(1_000),
        };
        let mut state = ControlState::default();
        state.apply(ControlCommand::Found { cluster, founder }).unwrap();
        ApiTokens { node, group: AloneInMemory::new(state), clock: Arc::new(Fixed) }
    }

    fn person(name: &str) -> Asker {
        Asker::Principal { name: name.to_owned(), role: PrincipalRole::Admin }
    }

    fn token(id: &str, by: Asker) -> NewApiToken {
        NewApiToken {
            id: id.into(),
            name: "chat".to_owned(),
            role: PrincipalRole::User,
            expires_at: Timestamp::from_millis(9_000),
            by,
        }
    }

    #[tokio::test]
    async fn a_token_is_listed_with_its_maker_and_refused_once_it_is_revoked() {
        let tokens = tokens();
        tokens.note(token("00000000000000aa", person("ada"))).await.unwrap();
        tokens.note(token("00000000000000aa", person("ada"))).await.unwrap();
        tokens.note(token("00000000000000bb", Asker::Node)).await.unwrap();
        let listed = tokens.list();
        let [first, second] = &listed[..] else { panic!("{listed:?}") };
        assert_eq!((first.made_by.as_str(), first.made_at_node.as_str(), first.own), ("ada", "attic", false));
        assert!(second.own && first.revoked.is_none());
        assert!(!tokens.is_revoked("00000000000000aa"));
        tokens.revoke("00000000000000aa", &person("bob")).await.unwrap();
        assert!(tokens.is_revoked("00000000000000aa") && !tokens.is_revoked("00000000000000bb"));
        assert_eq!(tokens.list()[0].revoked, Some((Timestamp::from_millis(5_000), "bob".to_owned())));
        let unknown = tokens.revoke("00000000000000cc", &person("bob")).await.unwrap_err();
        assert_eq!(unknown.code, Code::UnknownApiToken);
    }
}
