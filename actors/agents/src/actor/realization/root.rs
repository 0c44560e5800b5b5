//! The root actor: supervises the agents' actors.

use super::host::Host;
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;
use tracing::error;

/// Supervises the agents' actors. One that fails is taken off the list; it comes back with its next work, from the ledger,
/// with its running tasks handed to the next leadership or retried: there is nothing in an actor that is not durable.
pub(crate) struct Root;

/// What it works on.
pub(crate) struct RootState(pub(crate) Arc<Host>);

#[async_trait]
impl Actor for Root {
    type Msg = ();
    type State = RootState;
    type Arguments = Arc<Host>;

    async fn pre_start(&self, _: ActorRef<()>, host: Arc<Host>) -> Result<RootState, ActorProcessingErr> {
        Ok(RootState(host))
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(actor, cause) = &event {
            error!(%cause, "an agent's actor failed");
            state.0.forget_actor(actor);
            state.0.rescan.notify_one();
        }
        Ok(())
    }
}
