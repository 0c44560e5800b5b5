//! The demonstration's cluster: three nodes on loopback, of which one is killed.

use super::node::DemoNode;
use crate::cli::Context;
use crate::client::{Call, Client, decode};
use crate::failure::Failure;
use crate::output::{GOOD, Table, duration_ms, paint};
use octopussy_core::ids::{AgentId, ShardCount};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How many nodes there are: the fewest of which one may die.
const NODES: usize = 3;
/// How long the shards may take to find their places.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(25);

/// What a node says of the cluster.
#[derive(Debug, Deserialize)]
struct ClusterAnswer {
    node: String,
}

/// Where the shards are.
#[derive(Debug, Deserialize)]
struct RingAnswer {
    items: Vec<ShardRow>,
}

/// Where one shard is.
#[derive(Debug, Deserialize)]
struct ShardRow {
    shard: u16,
    leader: Option<String>,
    voters: Vec<String>,
    moving_to: Vec<String>,
}

/// A join token.
#[derive(Debug, Deserialize)]
struct TokenAnswer {
    token: String,
}

/// Three nodes; dropping them ends them.
pub(super) struct DemoCluster {
    nodes: Vec<DemoNode>,
    ids: Vec<String>,
    /// How long it took until every shard was in its place, in milliseconds.
    pub(super) took_ms: f64,
}

impl DemoCluster {
    /// Founds a cluster in a folder below `folder` and lets two more nodes join.
    pub(super) async fn start(folder: &Path, context: &Context) -> Result<Self, Failure> {
        let begun = Instant::now();
        let founder = DemoNode::found(&folder.join("node-1"), context).await?;
        let mut cluster = Self { ids: vec![id_of(founder.client()).await?], nodes: vec![founder], took_ms: 0.0 };
        while cluster.nodes.len() < NODES {
            let body = json!({"uses": "single", "valid_for_seconds": 300});
            let call = Call::new(Method::POST, "/api/v1/cluster/tokens").body(&body);
            let token: TokenAnswer = decode(&cluster.nodes[0].client().send(call).await?)?;
            let name = format!("node-{}", cluster.nodes.len() + 1);
            let node = DemoNode::join(&folder.join(&name), &name, &token.token).await?;
            cluster.ids.push(id_of(node.client()).await?);
            cluster.nodes.push(node);
        }
        cluster.settle().await?;
        cluster.took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        Ok(cluster)
    }

    /// The way to speak to a node.
    pub(super) fn client(&self, node: usize) -> &Client {
        self.nodes[node % NODES].client()
    }

    /// The process of a node.
    pub(super) fn pid(&self, node: usize) -> u32 {
        self.nodes[node % NODES].pid()
    }

    /// The number of the node that hosts the agent, as the node at `asked` sees it.
    pub(super) async fn host_of(&self, asked: usize, agent: &str) -> Result<usize, Failure> {
        let ring: RingAnswer = decode(&self.client(asked).get("/api/v1/cluster/ring").await?)?;
        let count = u16::try_from(ring.items.len()).ok().and_then(ShardCount::new);
        let shard = count.map(|count| count.shard_of(AgentId::from_name(agent)));
        let row = ring.items.iter().find(|row| Some(row.shard) == shard.map(|shard| shard.0));
        row.and_then(|row| row.leader.as_ref())
            .and_then(|leader| self.ids.iter().position(|id| id == leader))
            .ok_or_else(|| Failure::new(format!("nobody leads the shard of {agent}")))
    }

    /// Kills a node with SIGKILL, as a power cut would.
    pub(super) fn kill(&mut self, node: usize) -> Result<(), Failure> {
        self.nodes[node].kill()
    }

    /// Starts a killed node again and waits until it is where the others are.
    pub(super) async fn revive(&mut self, node: usize) -> Result<(), Failure> {
        self.nodes[node].restart().await?;
        self.settle().await
    }

    /// Waits until every node sees every shard on all nodes, led by whom it should be, with nothing moving.
    async fn settle(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + SETTLE_WITHIN;
        loop {
            let mut settled = true;
            for node in &self.nodes {
                let ring: RingAnswer = decode(&node.client().get("/api/v1/cluster/ring").await?)?;
                settled &= ring.items.iter().all(|row| {
                    // The first voter is who should lead.
                    row.leader.is_some()
                        && row.leader.as_ref() == row.voters.first()
                        && row.moving_to.is_empty()
                        && row.voters.len() == self.nodes.len()
                });
            }
            if settled {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!("the shards did not settle within {} s", SETTLE_WITHIN.as_secs())));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Shows the nodes and what each leads.
    pub(super) async fn show(&self, context: &Context) -> Result<(), Failure> {
        let out = context.out;
        out.line(format_args!(
            "{} {NODES} nodes have formed a cluster after {}",
            paint(GOOD, "✓"),
            duration_ms(self.took_ms)
        ));
        let ring: RingAnswer = decode(&self.client(0).get("/api/v1/cluster/ring").await?)?;
        let mut table = Table::new(["node", "process", "serves at", "leads", "holds"]).right(1).right(3).right(4);
        for (index, (node, id)) in self.nodes.iter().zip(&self.ids).enumerate() {
            let leads = ring.items.iter().filter(|row| row.leader.as_ref() == Some(id)).count();
            let holds = ring.items.iter().filter(|row| row.voters.contains(id)).count();
            table.row([
                format!("node-{}", index + 1),
                node.pid().to_string(),
                node.client().url().to_owned(),
                format!("{leads} shards"),
                format!("{holds} shards"),
            ]);
        }
        out.line("");
        out.line(table);
        Ok(())
    }

    /// Stops all nodes in good order.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        for result in futures::future::join_all(self.nodes.into_iter().map(DemoNode::stop)).await {
            result?;
        }
        Ok(())
    }
}

async fn id_of(client: &Client) -> Result<String, Failure> {
    Ok(decode::<ClusterAnswer>(&client.get("/api/v1/cluster").await?)?.node)
}
