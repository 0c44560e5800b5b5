//! How the last changes of the members look in JSON.

use super::token_view::RoleName;
use super::view::At;
use octopussy_core::ports::MemberChangeView;
use serde::Serialize;
use utoipa::ToSchema;

/// Something that became of a member.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MemberChange)]
pub(crate) struct MemberChangeBody {
    #[schema(value_type = String)]
    at: At,
    /// The member's id.
    node: String,
    /// Its name then.
    name: String,
    /// What became of it.
    event: String,
    /// Who asked for it; null for what nodes do by themselves, and for what is too long ago.
    #[schema(required = true)]
    by: Option<String>,
    #[schema(required = true)]
    by_role: Option<RoleName>,
    /// The member where it was asked for.
    #[schema(required = true)]
    at_node: Option<String>,
}

impl From<MemberChangeView> for MemberChangeBody {
    fn from(view: MemberChangeView) -> Self {
        let MemberChangeView { at, node, name, event, by, by_role, at_node } = view;
        Self { at: At(at), node, name, event, by, by_role: by_role.map(RoleName::from), at_node }
    }
}
