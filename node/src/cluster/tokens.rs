//! The join tokens as an operator sees them. Pure.

use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::JoinTokenInfo;

/// The tokens of the control state, the newest first.
pub(super) fn listed(control: &ControlState) -> Vec<JoinTokenInfo> {
    let name = |node: &NodeId| control.members.get(node).map_or_else(|| node.to_string(), |member| member.name.clone());
    let mut tokens: Vec<JoinTokenInfo> = control
        .tokens
        .iter()
        .map(|(id, token)| JoinTokenInfo {
            id: id.clone(),
            role: token.role,
            uses: token.uses,
            used_by: token.used_by.iter().map(name).collect(),
            expires_at: token.expires_at,
            made_at: token.made_by.at,
            made_by: token.made_by.principal.clone(),
            made_at_node: name(&token.made_by.node),
        })
        .collect();
    tokens.sort_by(|a, b| b.made_at.cmp(&a.made_at).then_with(|| a.id.cmp(&b.id)));
    tokens
}
