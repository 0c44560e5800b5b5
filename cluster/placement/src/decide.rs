//! What is to be done next.

use crate::{Action, Situation};

/// What this node is to do next, given what it sees. Empty when everything is where it belongs, or when it is for others
/// to act: only the leader of a group acts for the group, and only the control group's leader plans.
///
/// Nothing is remembered between two decisions, so an action that was lost is simply given again, and deciding again while
/// one is under way does no harm.
#[must_use]
pub fn decide(situation: &Situation<'_>) -> Vec<Action> {
    let _ = situation;
    Vec::new()
}
