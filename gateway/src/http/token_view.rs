//! How the tokens of the interfaces look in JSON.

use super::view::At;
use octopussy_core::ports::{ApiTokenInfo, IssuedToken, PrincipalRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a token allows; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = Role)]
pub(crate) enum RoleName {
    /// Looks.
    Viewer,
    /// Submits tasks.
    User,
    /// Creates and controls agents, handles dead letters.
    Operator,
    /// Secrets, tokens, the cluster.
    Admin,
}

impl From<RoleName> for PrincipalRole {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::User => Self::User,
            RoleName::Operator => Self::Operator,
            RoleName::Admin => Self::Admin,
        }
    }
}

impl From<PrincipalRole> for RoleName {
    fn from(role: PrincipalRole) -> Self {
        match role {
            PrincipalRole::Viewer => Self::Viewer,
            PrincipalRole::User => Self::User,
            PrincipalRole::Operator => Self::Operator,
            PrincipalRole::Admin => Self::Admin,
        }
    }
}

/// A token. It is a secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiToken)]
pub(crate) struct ApiTokenBody {
    /// By which it is revoked.
    id: String,
    /// What goes behind `Authorization: Bearer`.
    token: String,
    /// Whose it is.
    name: String,
    role: RoleName,
    #[schema(value_type = String)]
    expires_at: At,
}

impl ApiTokenBody {
    /// The answer with a token that was just made.
    pub(crate) fn new(issued: IssuedToken, name: String, role: PrincipalRole) -> Self {
        let IssuedToken { id, token, expires_at } = issued;
        Self { id: id.to_string(), token, name, role: role.into(), expires_at: At(expires_at) }
    }
}

/// A token as it is listed; the token itself is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiTokenInfo)]
pub(crate) struct ApiTokenInfoBody {
    /// By which it is revoked.
    id: String,
    /// Whose it is.
    name: String,
    role: RoleName,
    #[schema(value_type = String)]
    expires_at: At,
    #[schema(value_type = String)]
    made_at: At,
    /// Who asked for it.
    made_by: String,
    /// The node where it was made.
    made_at_node: String,
    /// Whether that node made it for the credentials in its own home. It makes another when that one is revoked.
    of_node: bool,
    #[schema(value_type = Option<String>, required = true)]
    revoked_at: Option<At>,
    /// Who revoked it.
    #[schema(required = true)]
    revoked_by: Option<String>,
}

impl From<ApiTokenInfo> for ApiTokenInfoBody {
    fn from(info: ApiTokenInfo) -> Self {
        let ApiTokenInfo { id, name, role, expires_at, made_at, made_by, made_at_node, own, revoked } = info;
        let (revoked_at, revoked_by) = revoked.map(|(at, by)| (At(at), by)).unzip();
        Self {
            id,
            name,
            role: role.into(),
            expires_at: At(expires_at),
            made_at: At(made_at),
            made_by,
            made_at_node,
            of_node: own,
            revoked_at,
            revoked_by,
        }
    }
}
