//! The beginning of a cluster, and of a node's part in it.

use super::core::Core;
use crate::error::{ControlError, OpenError};
use crate::forward::propose_control;
use crate::raft::GroupId;
use octopussy_control::{ClusterRecord, ControlCommand, ControlRefusal, MemberRecord};
use octopussy_core::ports::Asker;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a founding may take: a thousand shards, each with a few writes.
const FOUNDING_LIMIT: Duration = Duration::from_secs(60);

/// How often is looked whether something has come about that nothing tells of.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Founds a cluster of this node alone.
pub(super) async fn found(core: &Arc<Core>, cluster: ClusterRecord, founder: MemberRecord) -> Result<(), OpenError> {
    let failed = |detail: String| OpenError::Group { group: GroupId::CONTROL.0, detail };
    let control = core.registry.get(GroupId::CONTROL).ok_or_else(|| failed("it does not run".to_owned()))?;
    if !control.raft().is_initialized().await.map_err(|fatal| failed(fatal.to_string()))? {
        let members = BTreeMap::from([(core.me(), control.replica())]);
        control.raft().initialize(members).await.map_err(|error| failed(error.to_string()))?;
    }
    match propose_control(core, Asker::Node, ControlCommand::Found { cluster, founder }).await {
        // One that was interrupted is gone on with.
        Ok(_) | Err(ControlError::Refused(ControlRefusal::Founded)) => {}
        Err(error) => return Err(failed(error.to_string())),
    }
    if led(core, FOUNDING_LIMIT).await { Ok(()) } else { Err(OpenError::Late("founding the shards")) }
}

/// Waits until this node leads every shard.
async fn led(core: &Core, limit: Duration) -> bool {
    let all_led = || core.control().cluster.is_some() && core.shards().all().all(|shard| core.leads(shard));
    until(core, limit, all_led).await
}

/// Waits until the control group has reached this node.
pub(super) async fn adopt(core: &Core, limit: Duration) -> Result<(), OpenError> {
    let mut control = core.control.clone();
    let me = core.me();
    let reached = control.wait_for(|state| state.members.contains_key(&me));
    match tokio::time::timeout(limit, reached).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(OpenError::Late("being let in by the control group")),
    }
}

/// Waits until every shard that has a replica here has a leader: this node, activated, or another.
pub(super) async fn settled(core: &Core, limit: Duration) -> bool {
    let me = core.me();
    let all_led = || {
        core.registry.all().iter().all(|group| match (group.leader(), group.id().shard()) {
            (None, _) => false,
            (Some(leader), Some(shard)) if leader == me => core.leads(shard),
            (Some(leader), None) if leader == me => group.speaks(),
            (Some(_), _) => true,
        })
    };
    until(core, limit, all_led).await
}

async fn until(core: &Core, limit: Duration, condition: impl Fn() -> bool) -> bool {
    let met = async {
        while !condition() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        biased;
        met = tokio::time::timeout(limit, met) => met.is_ok(),
        () = core.stopping.cancelled() => false,
    }
}
