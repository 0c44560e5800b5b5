//! Backups of running nodes, and what is made of them.

use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, NodeRunner, Reply};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

async fn back_up(node: &NodeRunner, file: &Path) {
    let taken = node.cli(&["backup", &file.display().to_string()]).await.unwrap();
    assert!(taken.status.success(), "{}", taken.text());
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "others can read the keys in it");
}

async fn restore(node: &NodeRunner, file: &Path, home: &Path, more: &[&str]) -> octopussy_tests::CliOutput {
    let (file, home) = (file.display().to_string(), home.display().to_string());
    let mut words = vec!["restore", &file, "--home", &home];
    words.extend_from_slice(more);
    node.cli(&words).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_made_of_a_backup_has_the_tasks_agents_and_documents_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    node.create_agent(&AgentDirectory::rich("librarian", "")).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..5 {
        tasks.push(node.submit("clerk", &format!("number {number}")).await.unwrap());
    }
    for task in &tasks {
        assert_eq!(node.ended(task).await.unwrap()["state"], "SUCCEEDED");
    }
    let before = node.rest().unwrap().get("/api/v1/agents/librarian").await.unwrap().expect_status(200);
    let file = folder.path().join("node.octopussy");
    back_up(&node, &file).await;
    // What is damaged is told by its name, and nothing is made of it.
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = folder.path().join("damaged.octopussy");
    std::fs::write(&damaged, bytes).unwrap();
    let home = folder.path().join("restored");
    let refused = restore(&node, &damaged, &home, &[]).await;
    assert!(!refused.status.success() && refused.text().contains("is damaged"), "{}", refused.text());
    assert!(!home.exists(), "something was made of a damaged backup");
    let restored = restore(&node, &file, &home, &[]).await;
    assert!(restored.status.success(), "{}", restored.text());
    let again = restore(&node, &file, &home, &[]).await;
    assert!(!again.status.success() && again.text().contains("is there already"), "{}", again.text());
    // Both run: they are two clusters.
    let mut second = NodeRunner::prepare(NodeOptions::new().provider(&stub).home(&home)).await.unwrap();
    second.launch().await.unwrap();
    for task in &tasks {
        assert_eq!(second.ended(task).await.unwrap()["result"], "Fine.");
    }
    let after = second.rest().unwrap().get("/api/v1/agents/librarian").await.unwrap().expect_status(200);
    assert_eq!(before["agent_id"], after["agent_id"]);
    let task = second.submit("clerk", "one more").await.unwrap();
    assert_eq!(second.ended(&task).await.unwrap()["state"], "SUCCEEDED");
    second.restart_after_kill9().await.unwrap();
    assert_eq!(second.ended(&task).await.unwrap()["state"], "SUCCEEDED");
    assert_eq!(node.rest().unwrap().get(&format!("/api/v1/tasks/{task}")).await.unwrap().status, 404);
    assert!(node.sigterm().await.unwrap().success());
    assert!(second.sigterm().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_home_is_lost_comes_back_as_a_new_replica() {
    let folder = tempfile::tempdir().unwrap();
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let task = cluster.submit(0, "clerk", "before", "before").await;
    assert_eq!(cluster.ended(0, &task).await["state"], "SUCCEEDED");
    let file = folder.path().join("node-3.octopussy");
    back_up(&cluster.nodes[2], &file).await;
    let lost = cluster.id_of(2).await.unwrap();
    drop(cluster.nodes.remove(2));
    let left = cluster.nodes[0].cli(&["cluster", "leave", &lost, "--force"]).await.unwrap();
    assert!(left.status.success(), "{}", left.text());
    let home = folder.path().join("again");
    let restored = restore(&cluster.nodes[0], &file, &home, &["--as-new-replica"]).await;
    assert!(restored.status.success() && restored.text().contains("node-3"), "{}", restored.text());
    let token = cluster.token().await.unwrap();
    let options = NodeOptions::new().home(&home).join(&token, &["--name", "node-3-again"]);
    cluster.nodes.push(NodeRunner::start(options).await.unwrap());
    cluster.settled().await;
    assert_eq!(cluster.ended(2, &task).await["state"], "SUCCEEDED");
    let more = cluster.submit(2, "clerk", "after", "after").await;
    assert_eq!(cluster.ended(1, &more).await["state"], "SUCCEEDED");
}
