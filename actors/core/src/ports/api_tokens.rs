//! The tokens with which clients speak to the interfaces, as the whole cluster knows them.

use super::{Asker, PrincipalRole};
use crate::contract::{Port, PortId};
use crate::problem::{Code, Problem};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// The longest a token is good for.
pub const MAX_API_TOKEN_LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);

/// The longest name of a token, in bytes: it is a person's or a program's.
pub const MAX_API_TOKEN_NAME: usize = 64;

/// A token that is to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiToken {
    /// Its id.
    pub id: Arc<str>,
    /// Whose it is.
    pub name: String,
    /// What it allows.
    pub role: PrincipalRole,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// Who asked for it: this node by itself, for the credentials in its own home, or somebody else.
    pub by: Asker,
}

/// A token as it is listed: without the token itself, which is shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTokenInfo {
    /// Its id, by which it is revoked.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// What it allows.
    pub role: PrincipalRole,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// When it was noted.
    pub made_at: Timestamp,
    /// Who asked for it.
    pub made_by: String,
    /// The name of the node where it was made.
    pub made_at_node: String,
    /// Whether that node made it for the credentials in its own home.
    pub own: bool,
    /// When it was revoked, and by whom.
    pub revoked: Option<(Timestamp, String)>,
}

/// Which tokens there are, and which of them are good no longer.
#[async_trait]
pub trait ApiTokensPort: Send + Sync {
    /// Whether the token with this id was revoked, as far as this node has heard. Looked up in memory, at every request.
    fn is_revoked(&self, id: &str) -> bool;

    /// The tokens that the cluster knows of, the newest first: those that are good, and those that were revoked and would be otherwise.
    fn list(&self) -> Vec<ApiTokenInfo>;

    /// Notes a token, so that it is listed and can be revoked. Noting the same again changes nothing.
    async fn note(&self, token: NewApiToken) -> Result<(), Problem>;

    /// Revokes a token: every node that belongs to the cluster's majority refuses it from then on. Revoking it again changes nothing.
    async fn revoke(&self, id: &str, by: &Asker) -> Result<(), Problem>;
}

/// Stands in where there is no cluster: while a home directory is prepared, and in tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoApiTokens;

#[async_trait]
impl ApiTokensPort for NoApiTokens {
    fn is_revoked(&self, _: &str) -> bool {
        false
    }

    fn list(&self) -> Vec<ApiTokenInfo> {
        Vec::new()
    }

    async fn note(&self, _: NewApiToken) -> Result<(), Problem> {
        Err(Problem::new(Code::NotReady, "there is no cluster that could note a token"))
    }

    async fn revoke(&self, _: &str, _: &Asker) -> Result<(), Problem> {
        Err(Problem::new(Code::NotReady, "there is no cluster that could revoke a token"))
    }
}

impl Port for dyn ApiTokensPort {
    const ID: PortId = PortId::ApiTokens;
}
