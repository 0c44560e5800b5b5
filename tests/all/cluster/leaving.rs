//! Leaving for good.

use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, PATIENCE, Reply};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_is_emptied_ends_by_itself_and_cannot_come_back() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut cluster = ClusterRunner::start(4, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let leaving = cluster.id_of(3).await.unwrap();
    let left = cluster.nodes[0].cli(&["cluster", "leave", &leaving]).await.unwrap();
    assert!(left.status.success(), "{}", left.text());
    let status = cluster.nodes[3].exited(2 * PATIENCE).await.unwrap();
    assert!(!status.success(), "a node that was removed ends as one that failed, so that somebody looks");
    cluster.settled().await;
    let task = cluster.submit(1, "clerk", "Are you there?", "leave").await;
    assert_eq!(cluster.ended(2, &task).await["state"], "SUCCEEDED");
    let again = cluster.nodes[3].start_and_fail().await.unwrap();
    assert!(!again.status.success());
    assert!(again.text().contains("removed") || again.text().contains("left"), "{}", again.text());
}
