//! The digests of all replicas of the cluster, for whoever wants to know whether they agree.

use super::local;
use super::wire::{self, Answer, Reply, Request};
use crate::groups::Core;
use crate::raft::machine::ReplicaDigest;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MemberRole, ProposeError};
use std::sync::Arc;
use std::time::Duration;

/// How long a node may take: it reads all that it has stored.
const WITHIN: Duration = Duration::from_secs(60);

/// What each full member has applied; those that do not answer say why.
pub(crate) async fn everywhere(core: &Arc<Core>) -> Vec<(NodeId, Result<Vec<ReplicaDigest>, Arc<str>>)> {
    let state = core.control();
    let members = state.members.values().filter(|member| member.role == MemberRole::Full);
    let asked = members.map(|member| {
        let node = member.id;
        async move { (node, of(core, node).await) }
    });
    futures::future::join_all(asked).await
}

async fn of(core: &Arc<Core>, node: NodeId) -> Result<Vec<ReplicaDigest>, Arc<str>> {
    let text = |error: ProposeError| Arc::from(error.to_string());
    if node == core.me() {
        return local::digests(core).await.map_err(text);
    }
    let request = wire::encode_request(&Request::Digests)?;
    let answer = core.mesh.call(node, Lane::Forward, request, WITHIN).await;
    let answer = answer.map_err(|error| Arc::<str>::from(error.to_string()))?;
    match wire::decode::<Answer>(&answer)? {
        Ok(Reply::Digests(digests)) => Ok(digests),
        Ok(_) | Err(_) => Err("it has no digests to tell now".into()),
    }
}
