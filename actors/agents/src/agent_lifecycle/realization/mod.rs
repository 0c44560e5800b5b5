//! Listens to what agents announce.

use super::AgentLifecycleHandle;
use futures::StreamExt;
use octopussy_core::ports::{MessagingPort, Subscription, Topic};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often agents whose end was lost are looked for, and a subscription that ended is made anew.
const SWEEP: Duration = Duration::from_secs(5);

/// Feeds the registry until the capability stops.
pub(super) async fn listen(
    handle: AgentLifecycleHandle,
    messaging: Arc<dyn MessagingPort>,
    mut news: Subscription,
    stopping: CancellationToken,
) {
    let mut sweep = tokio::time::interval(SWEEP);
    let mut connected = true;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            event = news.next(), if connected => match event {
                Some(event) => handle.heard(event.agent, &event.kind),
                None => connected = false,
            },
            _ = sweep.tick() => {
                handle.forget_lost();
                if !connected {
                    match messaging.subscribe_here(Topic::Agents, None) {
                        Ok(again) => (news, connected) = (again, true),
                        Err(problem) => warn!(%problem, "the states of agents are not followed"),
                    }
                }
            }
        }
    }
}
