//! The last changes of the members as an operator sees them. Pure.

use octopussy_control::{ControlState, MemberChange, MemberEvent};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Asker, MemberChangeView, MemberDesired, MemberRole, PrincipalRole};

/// The changes of the control state, the newest first.
pub(super) fn listed(control: &ControlState) -> Vec<MemberChangeView> {
    control.history.iter().rev().map(|change| view(control, change)).collect()
}

fn view(control: &ControlState, change: &MemberChange) -> MemberChangeView {
    let name = |node: NodeId| control.members.get(&node).map_or_else(|| node.to_string(), |member| member.name.clone());
    let by = change.by.as_ref();
    let who: Option<(&str, PrincipalRole)> = by.and_then(|by| match &by.asker {
        Asker::Node => None,
        Asker::Principal { name, role } => Some((name.as_str(), *role)),
    });
    MemberChangeView {
        at: change.at,
        node: change.node.to_string(),
        name: change.name.clone(),
        event: event(change.event).to_owned(),
        by: who.map(|(name, _)| name.to_owned()),
        by_role: who.map(|(_, role)| role),
        at_node: by.map(|by| name(by.node)),
    }
}

const fn event(event: MemberEvent) -> &'static str {
    match event {
        MemberEvent::Joined(MemberRole::Full) => "joined",
        MemberEvent::Joined(MemberRole::Guest) => "joined as a guest",
        MemberEvent::Desired(MemberDesired::Active) => "resumed",
        MemberEvent::Desired(MemberDesired::Draining) => "draining",
        MemberEvent::Desired(MemberDesired::Leaving) => "leaving",
        MemberEvent::Stolen => "stolen",
        MemberEvent::Removed => "removed",
        MemberEvent::Recovered => "recovered shards",
    }
}
