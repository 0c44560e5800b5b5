//! A cluster of real nodes on loopback.

use crate::agent_directory::AgentDirectory;
use crate::node_runner::{NodeOptions, NodeRunner};
use crate::patience::{PATIENCE, eventually_within};
use anyhow::{Context, Result, ensure};
use octopussy_core::ids::{AgentId, ShardCount};
use serde_json::{Value, json};
use std::time::Duration;

/// Short timings: a test that waits for an election should not wait for long.
const FAST: &str = "cluster:\n  timings: fast\n";

/// How long forming a cluster may take on a busy machine.
const FORM_WITHIN: Duration = Duration::from_secs(60);

/// Nodes of one cluster, founded by the first; all killed when dropped.
#[derive(Debug)]
pub struct ClusterRunner {
    /// The nodes, in the order of joining.
    pub nodes: Vec<NodeRunner>,
}

impl ClusterRunner {
    /// Founds a cluster and lets nodes join until there are `size`; returns once every shard is where it belongs and every
    /// node knows that. Each node gets the configuration of `options`.
    ///
    /// # Errors
    /// When any of that fails.
    pub async fn start(size: usize, options: &NodeOptions) -> Result<Self> {
        Self::start_with(size, options, FAST).await
    }

    /// As [`ClusterRunner::start`], with a section `cluster` of the caller's instead of short timings.
    ///
    /// # Errors
    /// When any of that fails.
    pub async fn start_with(size: usize, options: &NodeOptions, section: &str) -> Result<Self> {
        let options = options.clone().config(section);
        let mut cluster = Self { nodes: vec![NodeRunner::start(options.clone()).await?] };
        while cluster.nodes.len() < size {
            cluster.join_as_is(&options).await?;
        }
        cluster.settled().await;
        Ok(cluster)
    }

    /// Lets one more node join, with a token made at the first node that runs.
    ///
    /// # Errors
    /// When there is no token, or the node does not start.
    pub async fn join(&mut self, options: &NodeOptions) -> Result<usize> {
        self.join_as_is(&options.clone().config(FAST)).await
    }

    async fn join_as_is(&mut self, options: &NodeOptions) -> Result<usize> {
        let token = self.token().await?;
        let name = format!("node-{}", self.nodes.len() + 1);
        let options = options.clone().join(&token, &["--name", &name]);
        self.nodes.push(NodeRunner::start(options).await?);
        Ok(self.nodes.len() - 1)
    }

    /// A join token, as `octopussy cluster token` prints it.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn token(&self) -> Result<String> {
        let node = self.nodes.iter().find(|node| node.runs()).context("no node runs")?;
        let output = node.cli(&["cluster", "token", "--json"]).await?;
        ensure!(output.status.success(), "no token was made: {}", output.text());
        let answer: Value = serde_json::from_str(&output.stdout).context(output.stdout)?;
        Ok(answer["token"].as_str().context("an answer without a token")?.to_owned())
    }

    /// Waits until every node that runs sees every shard led, with no move under way, and all of them agree on the table.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn settled(&self) {
        eventually_within(FORM_WITHIN, "the cluster settles", || async {
            let mut rings = Vec::new();
            for node in self.nodes.iter().filter(|node| node.runs()) {
                let answer = node.rest().ok()?.get("/api/v1/cluster/ring").await.ok()?;
                if answer.status != 200 {
                    return None;
                }
                let shards = answer.body["items"].as_array().cloned().unwrap_or_default();
                let members =
                    node.rest().ok()?.get("/api/v1/cluster/members").await.ok()?.body["items"].as_array()?.len();
                let copies = members.min(3);
                let settled = !shards.is_empty()
                    && shards.iter().all(|shard| {
                        // The first voter is who should lead.
                        shard["leader"].is_string()
                            && shard["leader"] == shard["voters"][0]
                            && shard["moving_to"].as_array().is_none_or(Vec::is_empty)
                            && shard["voters"].as_array().map_or(0, Vec::len)
                                + shard["learners"].as_array().map_or(0, Vec::len)
                                == copies
                    });
                if !settled {
                    return None;
                }
                rings.push(shards);
            }
            rings.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
        })
        .await;
    }

    /// Creates an agent at the first node that runs.
    ///
    /// # Errors
    /// When it is not created.
    pub async fn create_agent(&self, agent: &AgentDirectory) -> Result<Value> {
        self.nodes.iter().find(|node| node.runs()).context("no node runs")?.create_agent(agent).await
    }

    /// Where the agent's shard is, as the node at `asked` sees it: its row of the ring.
    ///
    /// # Errors
    /// When that node does not answer.
    pub async fn place_of(&self, asked: usize, agent: &str) -> Result<Value> {
        let shard = ShardCount::DEFAULT.shard_of(AgentId::from_name(agent));
        let ring = self.nodes[asked].rest()?.get("/api/v1/cluster/ring").await?.expect_status(200);
        let rows = ring["items"].as_array().context("a ring without shards")?;
        rows.iter().find(|row| row["shard"] == shard.0).cloned().context("the shard is not in the ring")
    }

    /// The index of the node that hosts the agent: the leader of its shard, as the node at `asked` sees it.
    ///
    /// # Errors
    /// When nobody leads the shard, or a node that does not run.
    pub async fn host_of(&self, asked: usize, agent: &str) -> Result<usize> {
        let row = self.place_of(asked, agent).await?;
        let leader = row["leader"].as_str().context("nobody leads the shard")?;
        for (index, node) in self.nodes.iter().enumerate() {
            if node.runs() && self.id_of(index).await.is_ok_and(|id| id == leader) {
                return Ok(index);
            }
        }
        anyhow::bail!("the leader {leader} is none of the nodes that run")
    }

    /// The id of a node, as it tells it itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn id_of(&self, index: usize) -> Result<String> {
        let answer = self.nodes[index].rest()?.get("/api/v1/cluster").await?.expect_status(200);
        Ok(answer["node"].as_str().context("no node id")?.to_owned())
    }

    /// Submits a task at a node under an idempotency key, repeating it there and at the other nodes while the answer is that
    /// it cannot be taken now; yields its id.
    ///
    /// # Panics
    /// When no node takes it for [`PATIENCE`].
    pub async fn submit(&self, first: usize, agent: &str, input: &str, key: &str) -> String {
        let mut turn = first;
        eventually_within(PATIENCE, "the task is accepted", || {
            let node = &self.nodes[turn % self.nodes.len()];
            turn += 1;
            async move {
                let rest = node.rest().ok().filter(|_| node.runs())?;
                let body = json!({"agent": agent, "input": input});
                let request = rest.request(reqwest::Method::POST, "/api/v1/tasks").json(&body);
                let request = request.header("idempotency-key", key).timeout(Duration::from_secs(5));
                let answer = rest.send(request).await.ok()?;
                match answer.status {
                    200 | 202 => Some(answer.body["task_id"].as_str()?.to_owned()),
                    429 | 500..=599 => None,
                    status => panic!("the task was refused with {status}: {:#}", answer.body),
                }
            }
        })
        .await
    }

    /// The task once it has ended, as the node at `index` tells it.
    ///
    /// # Panics
    /// When it has not within [`PATIENCE`].
    pub async fn ended(&self, index: usize, task: &str) -> Value {
        self.nodes[index]
            .task_when(task, "the task ends", |task| {
                ["SUCCEEDED", "FAILED", "CANCELLED", "DEAD_LETTERED"].iter().any(|state| task["state"] == *state)
            })
            .await
    }
}
