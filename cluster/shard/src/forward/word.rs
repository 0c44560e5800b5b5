//! Asking the leader of a group who belongs to it.

use super::local;
use super::patience::Patience;
use super::remote;
use super::wire::{self, Rejection, Reply, Request};
use crate::groups::{Core, LeaderWord};
use crate::raft::GroupId;
use std::sync::Arc;
use std::time::Duration;

/// The word of a group's leader, here or at another node; nothing when none answers within `limit`, or while the members change.
pub(crate) async fn ask_word(core: &Arc<Core>, group: GroupId, limit: Duration) -> Option<LeaderWord> {
    let told = match local::word(core, group) {
        Ok(word) => return word,
        Err(Rejection::NotLeader(leader)) => leader,
        Err(Rejection::Failed(_)) => None,
    };
    let frame = wire::encode_request(&Request::Word(group.0)).ok()?;
    let mut patience = Patience::new(limit);
    let asked = remote::ask_others(core, group, &frame, told, &mut patience, Duration::ZERO).await;
    match asked {
        remote::Asked::Answer(Ok(Reply::Word(word))) => word,
        remote::Asked::Answer(Ok(_) | Err(_)) | remote::Asked::Elsewhere | remote::Asked::Unknown => None,
    }
}
