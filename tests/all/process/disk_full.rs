//! A full disk: nothing that was acknowledged is lost, and the node says what is wrong.

use octopussy_tests::{AgentDirectory, NodeOptions, NodeRunner, SmallDisk};
use serde_json::json;

#[tokio::test]
async fn a_full_disk_refuses_work_and_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), 96) else {
        println!("SKIPPED: mounting a tmpfs is not allowed here (needs root)");
        return;
    };
    let home = disk.path().join("home");
    let mut node = NodeRunner::start(NodeOptions::new().home(&home)).await.unwrap();
    node.create_agent(&AgentDirectory::rich("clerk", "")).await.unwrap();
    let client = node.rest().unwrap();
    let ballast = disk.fill(1024 * 1024).unwrap();
    let body = json!({"agent": "clerk", "input": "Snow is white. What is white? ".repeat(2000)});
    let mut acknowledged = Vec::new();
    let refused = loop {
        let answer = client.post("/api/v1/tasks", &body).await.unwrap();
        match answer.status {
            202 => acknowledged.push(answer.body["task_id"].as_str().unwrap().to_owned()),
            429 => tokio::task::yield_now().await,
            _ => break answer,
        }
        assert!(acknowledged.len() < 10_000, "the disk never fills");
    };
    assert!(matches!(refused.status, 503 | 507), "{}: {:#}", refused.status, refused.body);
    assert!(matches!(refused.body["code"].as_str(), Some("OCTO-1500" | "OCTO-1501")), "{:#}", refused.body);
    let ready = client.get("/ready").await.unwrap();
    assert_eq!(ready.status, 503, "a node that cannot write says it is ready");
    assert_eq!(client.get("/health").await.unwrap().status, 200, "the process itself is well");
    node.kill9().unwrap();
    std::fs::remove_file(ballast).unwrap();
    node.launch().await.unwrap();
    for task in &acknowledged {
        let ended = node.ended(task).await.unwrap();
        assert_eq!(ended["state"], "SUCCEEDED", "{}", ended["error"]);
    }
    drop(node);
}
