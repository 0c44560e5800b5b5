//! Documents of agents, where nodes come and go.

use octopussy_core::ids::BlobId;
use octopussy_tests::{AgentDirectory, ClusterRunner, NodeOptions, eventually_within};
use std::time::Duration;

const HANDBOOK: &str = "The harbour opens at six.\n";

/// How soon every replica has a copy: it is looked for soon after shards have moved, and again a minute later.
const COPIED: Duration = Duration::from_secs(90);

/// The nodes that have a replica of the agent's shard, when there are three and `without` is none of them.
async fn replicas(cluster: &ClusterRunner, agent: &str, without: &str) -> Option<Vec<String>> {
    let row = cluster.place_of(0, agent).await.ok()?;
    let named = ["voters", "learners"].into_iter().filter_map(|key| row[key].as_array()).flatten();
    let named: Vec<String> = named.filter_map(|node| node.as_str().map(str::to_owned)).collect();
    (named.len() == 3 && named.iter().all(|node| node != without)).then_some(named)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_replica_gets_a_copy_also_one_that_comes_later() {
    let cluster = ClusterRunner::start(4, &NodeOptions::new()).await.unwrap();
    let mut ids = Vec::new();
    for node in 0..4 {
        ids.push(cluster.id_of(node).await.unwrap());
    }
    let pilot = AgentDirectory::rich("pilot", "").file("memory.md", "- document: docs/handbook.md\n");
    cluster.create_agent(&pilot.file("docs/handbook.md", HANDBOOK)).await.unwrap();
    let name = BlobId::of(HANDBOOK.as_bytes()).to_string();
    let has_copy = |node: &String| {
        let index = ids.iter().position(|id| id == node).unwrap();
        cluster.nodes[index].home().join("data/blobs").join(&name[..2]).join(&name).exists()
    };
    // The node that is asked stays. Three of the four have a copy from the start: the last gets its own when it is needed.
    let leaving = ids[1..].iter().find(|node| has_copy(node)).unwrap();
    let left = cluster.nodes[0].cli(&["cluster", "leave", leaving]).await.unwrap();
    assert!(left.status.success(), "{}", left.text());
    eventually_within(COPIED, "a copy at every replica", || async {
        replicas(&cluster, "pilot", leaving).await.filter(|nodes| nodes.iter().all(has_copy))
    })
    .await;
}
