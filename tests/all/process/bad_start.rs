//! A node that must not start says why, where, and what to do.

use octopussy_store::{Batch, Durability, Engine, FORMAT_VERSION, Keyspace, StoreOptions, open};
use octopussy_tests::{AgentDirectory, NodeOptions, NodeRunner};
use std::net::TcpListener;

/// Tries to start with this `config.yaml` and checks that the refusal names everything in `expected`.
async fn refused_config(yaml: &str, expected: &[&str]) {
    let node = NodeRunner::prepare(NodeOptions::new().config(yaml)).await.unwrap();
    let output = node.start_and_fail().await.unwrap();
    assert!(!output.status.success(), "it ended with success");
    let text = output.text();
    for part in expected {
        assert!(text.contains(part), "'{part}' is missing from:\n{text}");
    }
    assert!(!text.contains("panicked"), "a panic is not an error message:\n{text}");
}

#[tokio::test]
async fn a_configuration_that_is_not_yaml() {
    refused_config("gateway:\n  bind: [127.0.0.1\nnode:\n", &["config.yaml:"]).await;
}

#[tokio::test]
async fn an_unknown_key_with_what_was_probably_meant() {
    refused_config(
        "profile: LOCAL\ngateway:\n  binde: 127.0.0.1\n",
        &["config.yaml:3", "binde", "did you mean 'bind'"],
    )
    .await;
}

#[tokio::test]
async fn an_unknown_section_and_a_wrong_value_are_both_told() {
    refused_config("gatewey:\n  bind: 127.0.0.1\n", &["config.yaml:1", "gatewey", "did you mean 'gateway'"]).await;
    refused_config("store:\n  engine: postgres\n", &["config.yaml:2", "postgres", "redb"]).await;
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let node = NodeRunner::prepare(NodeOptions::new()).await.unwrap();
    let port = 47200 + node.port_offset();
    let _other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let output = node.start_and_fail().await.unwrap();
    assert!(!output.status.success());
    let text = output.text();
    assert!(text.contains(&port.to_string()), "the port is not named:\n{text}");
    assert!(text.contains("port-offset") || text.contains("gateway"), "no way out is shown:\n{text}");
}

#[tokio::test]
async fn a_second_node_on_the_same_home() {
    let first = NodeRunner::start(NodeOptions::new()).await.unwrap();
    first.create_agent(&AgentDirectory::new("clerk", "")).await.unwrap();
    let second = NodeRunner::prepare(NodeOptions::new().home(first.home())).await.unwrap();
    let told = second.start_and_fail().await.unwrap();
    let pid = first.pid().unwrap().to_string();
    assert!(told.text().contains(&pid), "the node that runs is not named:\n{}", told.text());
    // Without the file that names it, the lock on the store is what keeps the second one out.
    std::fs::remove_file(first.home().join("run/node.json")).unwrap();
    let output = second.start_and_fail().await.unwrap();
    assert!(!output.status.success());
    let text = output.text();
    assert!(text.contains("data/log") || text.contains("in use"), "no word of the lock:\n{text}");
    let task = first.submit("clerk", "Grass is green. What is green?").await.unwrap();
    assert_eq!(first.ended(&task).await.unwrap()["state"], "SUCCEEDED", "the first node was disturbed");
}

#[tokio::test]
async fn a_store_that_is_damaged() {
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    node.sigterm().await.unwrap();
    for file in ["data/log/0000000000000001.segment", "data/state.redb"] {
        let kept = std::fs::read(node.home().join(file)).unwrap();
        let mut damaged = kept.clone();
        damaged[70] ^= 1;
        damaged[8..16].fill(0xAA);
        std::fs::write(node.home().join(file), &damaged).unwrap();
        let output = node.start_and_fail().await.unwrap();
        assert!(!output.status.success());
        let text = output.text();
        let name = file.rsplit('/').next().unwrap();
        assert!(text.contains(name), "the file is not named:\n{text}");
        assert!(!text.contains("panicked"), "a panic is not an error message:\n{text}");
        std::fs::write(node.home().join(file), &kept).unwrap();
    }
    node.launch().await.unwrap();
}

#[tokio::test]
async fn a_store_that_a_newer_version_has_written() {
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    node.create_agent(&AgentDirectory::new("clerk", "")).await.unwrap();
    node.sigterm().await.unwrap();
    let state = node.home().join("data/state.redb");
    let write_format = |version: u32| {
        let store =
            open(&state, StoreOptions { engine: Engine::Redb, cache_bytes: 1 << 20, quick_reopen: false }).unwrap();
        let mut batch = Batch::new();
        batch.put(Keyspace::Meta, b"format", version.to_be_bytes());
        store.commit(&batch, Durability::Fsync).unwrap();
    };
    write_format(FORMAT_VERSION + 1);
    let output = node.start_and_fail().await.unwrap();
    assert!(!output.status.success());
    let text = output.text();
    for part in ["state.redb", &format!("version {}", FORMAT_VERSION + 1), "newer"] {
        assert!(text.contains(part), "'{part}' is missing from:\n{text}");
    }
}
