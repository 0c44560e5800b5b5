//! What this node measures below its capabilities, under the names that `/metrics` shows. `docs/clusters.md` lists them.

mod clocks;
mod groups;
mod members;
mod mesh;

use octopussy_core::ports::{Measure, MeasuresPort};
use octopussy_membership::Membership;
use octopussy_mesh::Mesh;
use octopussy_shard::ShardHost;
use std::sync::Arc;

/// The measures of the mesh, the groups and the membership.
pub(crate) struct NodeMeasures {
    /// Connections.
    pub(crate) mesh: Arc<Mesh>,
    /// The groups.
    pub(crate) shards: Arc<ShardHost>,
    /// Who answers.
    pub(crate) membership: Arc<Membership>,
}

impl MeasuresPort for NodeMeasures {
    fn read(&self) -> Vec<Measure> {
        let mut measures = mesh::measures(&self.mesh.metrics());
        measures.extend(groups::measures(&self.shards.metrics()));
        measures.extend(clocks::measures(&self.shards.clocks()));
        measures.push(members::by_reach(&self.shards.control(), &*self.membership));
        measures
    }
}
