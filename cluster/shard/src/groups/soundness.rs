//! What a replica has on its disks when it starts: whether its log and its state belong together, and what becomes of it where they
//! do not.
//!
//! Raft takes for granted that both are as they were left. A replica that lost a part of them is another one from then on, so that
//! it counts for nothing until its leader has let it in again. What it still has stays as long as anything can be made of it.

use super::context::Context;
use crate::error::OpenError;
use crate::raft::log::Gap;
use crate::raft::{GroupId, TypeConfig};
use octopussy_core::ids::NodeId;
use openraft::EntryPayload;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use openraft::type_config::alias::EntryOf;
use std::collections::BTreeSet;
use std::io;

/// How many entries are read at once in the search for a membership.
const READ: u64 = 256;

/// Sees that a group can be started on what its log and its state hold.
///
/// # Errors
/// [`OpenError::Lost`] where what is left is of no use and nobody else is known to have more; it stays as it is.
pub(super) async fn ensure(context: &Context, id: GroupId) -> Result<(), OpenError> {
    let (applied, _) = context.state.position(id);
    if applied.is_some() && context.log.is_unknown(id) {
        context.counters.lost_here();
        tracing::error!(group = %id, "the log of a replica is gone: its disk lost it; its leader has to let it in again as a new one");
        return Ok(());
    }
    let Some(gap) = context.log.gap(id, applied) else { return Ok(()) };
    let closed = |error: io::Error| OpenError::Group { group: id.0, detail: error.to_string() };
    match gap {
        Gap::Log | Gap::Contradiction => context.log.renew(id, context.boot, applied).await.map_err(closed)?,
        Gap::State => {
            let mut others = others(context, id).await.map_err(closed)?;
            others.remove(&context.me);
            if others.is_empty() {
                return Err(OpenError::Lost { group: id.0, path: context.config.dir.clone(), what: gap.words() });
            }
            // In this order: where it is cut short, the next start goes on with it.
            context.log.bury(id).await.map_err(closed)?;
            let emptied = match id.shard() {
                Some(shard) => context.state.forget(shard).await,
                None => context.state.reset_control().await,
            };
            emptied.map_err(|_| OpenError::Late("deleting what is left of a replica"))?;
        }
    }
    context.counters.lost_here();
    tracing::error!(
        group = %id, what = gap.words(),
        "a replica has lost a part of what it had: its leader has to let it in again as a new one; look at the disk"
    );
    Ok(())
}

/// Everybody who is known to have, or to have had, a replica of the group.
async fn others(context: &Context, id: GroupId) -> io::Result<BTreeSet<NodeId>> {
    let (_, membership) = context.state.position(id);
    let mut nodes: BTreeSet<NodeId> = membership.nodes().map(|(node, _)| *node).collect();
    nodes.extend(in_log(context, id).await?);
    let control = context.state.watch_control();
    let control = control.borrow();
    match id.shard() {
        Some(shard) => nodes.extend(control.place(shard).iter().flat_map(|place| place.current.nodes())),
        None => nodes.extend(control.members.values().filter(|member| member.holds_replicas()).map(|member| member.id)),
    }
    Ok(nodes)
}

/// The members that the last membership in the log names.
async fn in_log(context: &Context, id: GroupId) -> io::Result<BTreeSet<NodeId>> {
    let mut log = context.log.group(id);
    let state = log.get_log_state().await?;
    let first = state.last_purged_log_id.map_or(0, |purged| purged.index + 1);
    let mut end = state.last_log_id.map_or(0, |last| last.index + 1);
    while end > first {
        let start = end.saturating_sub(READ).max(first);
        let entries: Vec<EntryOf<TypeConfig>> = log.try_get_log_entries(start..end).await?;
        let membership = entries.iter().rev().find_map(|entry| match &entry.payload {
            EntryPayload::Membership(membership) => Some(membership),
            EntryPayload::Blank | EntryPayload::Normal(_) => None,
        });
        if let Some(membership) = membership {
            return Ok(membership.nodes().map(|(node, _)| *node).collect());
        }
        end = start;
    }
    Ok(BTreeSet::new())
}
