//! Five nodes bear the loss of two.

use octopussy_tests::{
    AgentDirectory, ClusterRunner, ModelStub, NodeOptions, NodeRunner, Reply, eventually, eventually_within,
};
use serde_json::{Value, json};
use std::time::Duration;

/// How long moves of replicas may take, a few shards at a time.
const MOVES: Duration = Duration::from_secs(90);
/// Enough agents that some live in shards of which two replicas are lost, and most do not.
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

/// Of the pairs of nodes whose loss takes some agents' shards their majority the one that leaves it to most, their ids, and
/// the agents whose shards keep it and whose do not. Which pairs do how much is up to the nodes' ids.
async fn least_needed(cluster: &ClusterRunner) -> ([usize; 2], Vec<String>, (Vec<usize>, Vec<usize>)) {
    let (mut ids, mut voters) = (Vec::new(), Vec::new());
    for node in 0..5 {
        ids.push(cluster.id_of(node).await.unwrap());
    }
    for index in 0..AGENTS {
        let row = cluster.place_of(0, &name(index)).await.unwrap();
        voters.push(row["voters"].as_array().unwrap().clone());
    }
    let by_majority = |pair: &[usize; 2]| -> (Vec<usize>, Vec<usize>) {
        (0..AGENTS).partition(|index| {
            let lost = voters[*index].iter().filter(|voter| pair.iter().any(|node| **voter == ids[*node])).count();
            lost * 2 < voters[*index].len()
        })
    };
    let pairs = (0..5).flat_map(|first| (first + 1..5).map(move |second| [first, second]));
    let some_fall = pairs.filter(|pair| !by_majority(pair).1.is_empty());
    let doomed = some_fall.max_by_key(|pair| by_majority(pair).0.len()).unwrap();
    (doomed, doomed.map(|node| ids[node].clone()).to_vec(), by_majority(&doomed))
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

    let (doomed, ids, (standing, falling)) = least_needed(&cluster).await;
    assert!(standing.len() >= AGENTS / 2, "{standing:?} {falling:?}");
    let [asked, told, other] = (0..5).filter(|node| !doomed.contains(node)).collect::<Vec<_>>()[..] else {
        panic!("{doomed:?}")
    };
    for node in doomed {
        cluster.nodes[node].kill9().unwrap();
    }
    let mut after = Vec::new();
    for index in &standing {
        after.push(cluster.submit(asked, &name(*index), "And now?", &format!("after-{index}")).await);
    }
    let kept = standing.iter().map(|index| &tasks[*index]);
    for task in kept.chain(&after) {
        assert_eq!(cluster.ended(told, task).await["state"], "SUCCEEDED");
    }
    // The control group has three of its five: members can be changed.
    let token = cluster.nodes[other].cli(&["cluster", "token"]).await.unwrap();
    assert!(token.status.success(), "{}", token.text());
    let body = json!({"agent": name(falling[0]), "input": "And you?"});
    let refused = cluster.nodes[asked].rest().unwrap().post("/api/v1/tasks", &body).await.unwrap();
    refused.expect_problem(503, "OCTO-1502");

    // They come back; one of them is drained and leaves, and another takes its place.
    for node in doomed {
        cluster.nodes[node].launch().await.unwrap();
    }
    cluster.settled().await;
    let left = cluster.nodes[asked].cli(&["cluster", "leave", &ids[1]]).await.unwrap();
    assert!(left.status.success(), "{}", left.text());
    eventually_within(MOVES, "it has left", || async {
        (members(&cluster.nodes[asked]).await?.len() == 4).then_some(())
    })
    .await;
    cluster.nodes[doomed[1]].exited(MOVES).await.unwrap();
    let newcomer = cluster.join(&options).await.unwrap();
    cluster.settled().await;
    eventually("five vote again", || async { (control_voters(&cluster.nodes[asked]).await? == 5).then_some(()) }).await;
    for task in tasks.iter().chain(&after) {
        assert_eq!(cluster.ended(newcomer, task).await["state"], "SUCCEEDED");
    }
}
