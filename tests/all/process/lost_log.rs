//! A disk that has lost the log of a node that is alone.

use octopussy_tests::{AgentDirectory, ModelStub, NodeOptions, NodeRunner, Reply, eventually};

#[tokio::test]
async fn a_node_alone_that_has_lost_its_log_says_so_and_goes_on_by_command() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let task = node.submit("clerk", "Are you there?").await.unwrap();
    node.ended(&task).await.unwrap();
    // What has been applied is stored by then.
    node.sigterm().await.unwrap();
    std::fs::remove_dir_all(node.home().join("data/log")).unwrap();
    node.spawn().unwrap();
    let status = eventually("the status says what is lost", || async {
        let status = node.cli(&["cluster", "status"]).await.ok()?;
        status.text().contains("came back with less than it had").then(|| status.text())
    })
    .await;
    assert!(status.contains("backup") && status.contains("octopussy cluster recover"), "{status}");
    let recovered = node.cli(&["cluster", "recover", "--yes"]).await.unwrap();
    assert!(recovered.status.success(), "{}", recovered.text());
    assert_eq!(node.ended(&task).await.unwrap()["state"], "SUCCEEDED");
    let again = node.submit("clerk", "And now?").await.unwrap();
    assert_eq!(node.ended(&again).await.unwrap()["state"], "SUCCEEDED");
}
