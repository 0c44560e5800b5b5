//! Five nodes bear the loss of two.

use octopussy_core::ids::{AgentId, ShardCount};
use octopussy_tests::{
    AgentDirectory, ClusterRunner, ModelStub, NodeOptions, NodeRunner, Reply, eventually, eventually_within,
};
use serde_json::{Value, json};
use std::time::Duration;

/// How long moves of replicas may take, a few shards at a time.
const MOVES: Duration = Duration::from_secs(90);
/// Enough agents that some live in shards of which two replicas are lost, and some do not.
const AGENTS: usize = 16;

fn name(index: usize) -> String {
    format!("agent-{index}")
}

async fn members(node: &NodeRunner) -> Option<Vec<Value>> {
    let answer = node.rest().ok()?.get("/api/v1/cluster/members").await.ok()?;
    answer.body["items"].as_array().cloned()
}

async fn control_voters(node: &NodeRunner) -> Option<usize> {
    Some(members(node).await?.iter().filter(|member| member["votes"] == true).count())
}

/// The agents whose shards keep a majority of their replicas without the nodes of these ids, and the others.
async fn by_majority(asked: &NodeRunner, dead: &[String]) -> (Vec<usize>, Vec<usize>) {
    let ring = asked.rest().unwrap().get("/api/v1/cluster/ring").await.unwrap().expect_status(200);
    (0..AGENTS).partition(|index| {
        let shard = ShardCount::DEFAULT.shard_of(AgentId::from_name(&name(*index)));
        let row = &ring["items"][usize::from(shard.0)];
        assert_eq!(row["shard"], shard.0);
        let voters = row["voters"].as_array().unwrap();
        voters.iter().filter(|voter| dead.iter().any(|dead| *voter == dead)).count() * 2 < voters.len()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_five_die_at_once_and_the_work_goes_on() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let options = NodeOptions::new().provider(&stub);
    let mut cluster = ClusterRunner::start(5, &options).await.unwrap();
    eventually("the control group has five voters", || async {
        (control_voters(&cluster.nodes[4]).await? == 5).then_some(())
    })
    .await;
    let mut tasks = Vec::new();
    for index in 0..AGENTS {
        cluster.create_agent(&AgentDirectory::on_stub(&name(index), "")).await.unwrap();
        tasks.push(cluster.submit(index, &name(index), "Are you there?", &format!("before-{index}")).await);
    }

    let doomed = [cluster.id_of(0).await.unwrap(), cluster.id_of(1).await.unwrap()];
    let (standing, falling) = by_majority(&cluster.nodes[2], &doomed).await;
    // Of ten pairs of nodes seven leave a shard its majority: how many shards these two leave it is up to their ids.
    assert!(!standing.is_empty(), "{falling:?}");
    for node in [0, 1] {
        cluster.nodes[node].kill9().unwrap();
    }
    let mut after = Vec::new();
    for index in &standing {
        after.push(cluster.submit(2, &name(*index), "And now?", &format!("after-{index}")).await);
    }
    let kept = standing.iter().map(|index| &tasks[*index]);
    for task in kept.chain(&after) {
        assert_eq!(cluster.ended(3, task).await["state"], "SUCCEEDED");
    }
    // The control group has three of its five: members can be changed.
    let token = cluster.nodes[4].cli(&["cluster", "token"]).await.unwrap();
    assert!(token.status.success(), "{}", token.text());
    if let Some(index) = falling.first() {
        let body = json!({"agent": name(*index), "input": "And you?"});
        let refused = cluster.nodes[2].rest().unwrap().post("/api/v1/tasks", &body).await.unwrap();
        refused.expect_problem(503, "OCTO-1502");
    }

    // They come back; one of them is drained and leaves, and another takes its place.
    for node in [0, 1] {
        cluster.nodes[node].launch().await.unwrap();
    }
    cluster.settled().await;
    let left = cluster.nodes[2].cli(&["cluster", "leave", &doomed[1]]).await.unwrap();
    assert!(left.status.success(), "{}", left.text());
    eventually_within(MOVES, "it has left", || async { (members(&cluster.nodes[2]).await?.len() == 4).then_some(()) })
        .await;
    cluster.nodes[1].exited(MOVES).await.unwrap();
    let newcomer = cluster.join(&options).await.unwrap();
    cluster.settled().await;
    eventually("five vote again", || async { (control_voters(&cluster.nodes[2]).await? == 5).then_some(()) }).await;
    for task in tasks.iter().chain(&after) {
        assert_eq!(cluster.ended(newcomer, task).await["state"], "SUCCEEDED");
    }
}
