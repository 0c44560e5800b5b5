//! Starts groups again that have ended by themselves, each from its log and its state, without touching the others.

use super::backoff::{self, Backoff};
use super::core::Core;
use super::group::Group;
use crate::error::OpenError;
use crate::raft::GroupId;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    // At most one for each group of the node.
    let mut backoffs = BTreeMap::<GroupId, Backoff>::new();
    while unless_stopping(&core, core.context.fallen.notified()).await.is_some() {
        for group in core.registry.all() {
            if group.has_ended() && group.begin_reviving() {
                let pause = backoffs.entry(group.id()).or_default().after_end(Instant::now());
                core.tasks.spawn(revive(Arc::clone(&core), group, pause));
            }
        }
    }
}

/// Waits for `future`; nothing when the node stops first.
async fn unless_stopping<T>(core: &Core, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = future => Some(done),
        () = core.stopping.cancelled() => None,
    }
}

/// Sees the old one to its end and starts the group anew, however often that takes.
async fn revive(core: Arc<Core>, old: Arc<Group>, mut pause: Duration) {
    let id = old.id();
    let Some(reason) = unless_stopping(&core, old.bury()).await else { return };
    tracing::error!(group = %id, %reason, ?pause, "the group has ended on this node by itself; it is started again");
    loop {
        if unless_stopping(&core, tokio::time::sleep(pause)).await.is_none() {
            return;
        }
        let Some(_claim) = core.registry.claim(id) else { continue };
        if !core.registry.holds(&old) {
            // It has moved away meanwhile, or was started by command.
            return;
        }
        match restart(&core, id).await {
            Some(Ok(())) => {
                tracing::info!(group = %id, "the group runs again");
                return;
            }
            Some(Err(error)) => {
                pause = backoff::longer(pause);
                tracing::error!(group = %id, %error, ?pause, "the group cannot be started again yet");
            }
            None => return,
        }
    }
}

/// Starts a group whose old Raft is gone; nothing when the node stops first.
async fn restart(core: &Core, id: GroupId) -> Option<Result<(), OpenError>> {
    let context = &core.context;
    let closed = |error: std::io::Error| OpenError::Group { group: id.0, detail: error.to_string() };
    // What the old one has written may still be in line, and the new one would take it for durable.
    if let Err(error) = unless_stopping(core, context.log.settle(id)).await? {
        return Some(Err(closed(error)));
    }
    if let Err(error) = unless_stopping(core, context.state.rewind(id)).await? {
        return Some(Err(error));
    }
    let started = Group::start(id, Arc::clone(context)).await;
    Some(started.map(|group| {
        core.admit(group);
        core.revivals.fetch_add(1, Ordering::Relaxed);
    }))
}
