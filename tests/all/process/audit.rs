//! The audit log: what must not be done without a record, and what a rebuilt log looks like.

use octopussy_tests::{AgentDirectory, NodeOptions, NodeRunner, SmallDisk};
use reqwest::Method;
use serde_json::{Value, json};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

/// The values of `field` in all events of the log.
fn recorded(node: &NodeRunner, action: &str, field: &str) -> Vec<String> {
    let text = std::fs::read_to_string(node.home().join("audit/audit.jsonl")).unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = events.filter(|record| record["event"]["action"] == action);
    events.filter_map(|record| record["event"][field].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_is_not_done_and_everything_else_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
    let Some(disk) = SmallDisk::mount(&home.join("audit"), 4) else {
        println!("SKIPPED: mounting a tmpfs is not allowed here (needs root)");
        return;
    };
    std::fs::set_permissions(disk.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let node = NodeRunner::start(NodeOptions::new().home(&home)).await.unwrap();
    let rest = node.rest().unwrap();
    let set = async |name: &str| {
        let request = rest.request(Method::PUT, &format!("/api/v1/secrets/{name}")).json(&json!({"value": "sk"}));
        rest.send(request).await.unwrap()
    };
    assert_eq!(set("first").await.status, 204);
    let ballast = disk.fill(0).unwrap();
    // What is left of the page that the log ends in takes a few records yet.
    let mut before = 0;
    while set("before").await.status == 204 {
        before += 1;
        assert!(before < 100, "the disk never fills");
    }
    set("second").await.expect_problem(503, "OCTO-1506");
    rest.post("/api/v1/tokens", &json!({"role": "VIEWER"})).await.unwrap().expect_problem(503, "OCTO-1506");
    let removed = rest.delete("/api/v1/secrets/first").await.unwrap();
    removed.expect_problem(503, "OCTO-1506");
    let secrets = rest.get("/api/v1/secrets").await.unwrap().expect_status(200);
    let names: Vec<&str> = secrets["items"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(names.contains(&"first") && !names.contains(&"second"), "{names:?}");
    node.create_agent(&AgentDirectory::rich("clerk", "")).await.unwrap();

    std::fs::remove_file(ballast).unwrap();
    assert_eq!(set("second").await.status, 204, "it goes on without a restart");
    let outcomes = recorded(&node, "secret.set", "outcome");
    assert!(outcomes.contains(&"begun".to_owned()), "{outcomes:?}");
    let verified = node.cli(&["audit", "verify"]).await.unwrap();
    assert!(verified.status.success(), "{}", verified.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_rebuilt_without_the_nodes_key_does_not_verify() {
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let made = node.cli(&["token", "create", "--role", "USER", "--name", "chat", "--json"]).await.unwrap();
    let id = made.json()["id"].as_str().unwrap().to_owned();
    node.cli(&["token", "revoke", &id]).await.unwrap();
    node.sigterm().await.unwrap();
    let made: Vec<String> = recorded(&node, "token.create", "subject");
    assert!(made.iter().any(|subject| subject.contains(&id) && subject.contains("chat, USER")), "{made:?}");
    assert!(recorded(&node, "token.revoke", "subject").contains(&id));
    let actors = recorded(&node, "token.revoke", "actor");
    assert!(actors.iter().all(|actor| actor.starts_with("admin (token ")), "{actors:?}");

    let path = node.home().join("audit/audit.jsonl");
    let verify = async || node.cli(&["audit", "verify"]).await.unwrap();
    assert!(verify().await.status.success(), "{}", verify().await.text());
    let text = std::fs::read_to_string(&path).unwrap();
    let rebuilt = rebuilt(&text.replace("chat, USER", "chat, VIEWER"));
    std::fs::write(&path, &rebuilt).unwrap();
    let refused = verify().await;
    assert!(!refused.status.success() && refused.text().contains("without the node's key"), "{}", refused.text());
    std::fs::write(&path, text.replace("chat, USER", "chat, VIEWER")).unwrap();
    let refused = verify().await;
    assert!(!refused.status.success() && refused.text().contains("changed"), "{}", refused.text());
}

/// The log as somebody would write it anew who does not have the key: each hash fits.
fn rebuilt(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut last = "0".repeat(64);
    let mut lines = String::new();
    for line in text.lines() {
        let (head, _) = line.rsplit_once(",\"hash\":\"").unwrap();
        let at = head.find("\"prev\":\"").unwrap() + "\"prev\":\"".len();
        let head = format!("{}{last}{}", &head[..at], &head[at + 64..]);
        last = Sha256::digest(head.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push_str(&format!("{head},\"hash\":\"{last}\"}}\n"));
    }
    lines
}
