//! What a machine gets that is trusted with little, and what it does not.

use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, NodeRunner, Reply, eventually};
use serde_json::{Value, json};
use std::path::Path;

/// A guest of the cluster.
async fn guest(cluster: &ClusterRunner, options: NodeOptions) -> NodeRunner {
    let made = cluster.nodes[0].cli(&["cluster", "token", "--guest", "--json"]).await.unwrap();
    assert!(made.status.success(), "{}", made.text());
    let token = made.json()["token"].as_str().unwrap().to_owned();
    NodeRunner::start(options.join(&token, &["--guest", "--name", "den"])).await.unwrap()
}

fn credentials(node: &NodeRunner) -> Value {
    serde_json::from_slice(&std::fs::read(node.home().join("credentials.json")).unwrap()).unwrap()
}

fn exists_below(folder: &Path, name: &str) -> bool {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .any(|path| path.file_name().is_some_and(|file| file == name) || (path.is_dir() && exists_below(&path, name)))
}

/// A guest asks for a token for another machine, with which that one would get the authority's key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_is_no_administrator_and_lets_nobody_in() {
    let cluster = ClusterRunner::start(1, &NodeOptions::new()).await.unwrap();
    let member = cluster.nodes[0].rest().unwrap();
    let put = member.request(reqwest::Method::PUT, "/api/v1/secrets/openai.api_key").json(&json!({"value": "sk-1"}));
    member.send(put).await.unwrap().expect_status(204);

    // With a token for members it cannot be a guest, and the other way round it is one whatever it says.
    let token = cluster.token().await.unwrap();
    let stranger = NodeOptions::new().join(&token, &["--guest", "--name", "stranger"]);
    let refused = NodeRunner::prepare(stranger).await.unwrap().start_and_fail().await.unwrap();
    assert!(!refused.status.success() && refused.text().contains("cluster token --guest"), "{}", refused.text());

    let guest = guest(&cluster, NodeOptions::new()).await;
    for words in [vec!["cluster", "token"], vec!["cluster", "leave", "node-1", "--force"], vec!["secret", "list"]] {
        let refused = guest.cli(&words).await.unwrap();
        assert!(!refused.status.success(), "{words:?}: {}", refused.text());
        assert!(refused.text().contains("guest"), "{words:?} does not say why: {}", refused.text());
    }
    let status = guest.cli(&["status"]).await.unwrap();
    assert!(status.status.success(), "{}", status.text());

    // What it has is of no use at a member.
    let stolen = member.with_token(credentials(&guest)["token"].as_str().unwrap());
    for path in ["/api/v1/secrets", "/api/v1/cluster/members", "/api/v1/tasks"] {
        stolen.get(path).await.unwrap().expect_problem(401, "OCTO-1100");
    }
    for name in ["data.key", "secrets.base"] {
        assert!(!exists_below(guest.home(), name), "a guest has {name}");
    }
    assert!(!guest.home().join("tls/ca.key").exists(), "a guest has the authority's key");
    let authority = std::fs::read_to_string(guest.home().join("tls/ca.pem")).unwrap();
    assert_ne!(credentials(&guest)["ca"], json!(authority), "clients of the cluster trust what a guest shows");
}

/// What a guest is there for needs no key of the cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_without_keys_lends_its_models() {
    let stub = ModelStub::scripted(|_| Reply::Text("From the den.".to_owned())).await.unwrap();
    // Prompts go to a guest only where it is named.
    let options = NodeOptions::new().config("llm_router:\n  borrow_from: [stub@den]\n");
    let cluster = ClusterRunner::start(1, &options).await.unwrap();
    let _guest = guest(&cluster, NodeOptions::new().provider(&stub)).await;
    cluster.create_agent(&AgentDirectory::on_stub("asker", "")).await.unwrap();
    let answered = eventually("the guest's model answers", || async {
        let task = cluster.nodes[0].submit("asker", "Who is there?").await.ok()?;
        let ended = cluster.nodes[0].ended(&task).await.ok()?;
        (ended["state"] == "SUCCEEDED").then_some(ended)
    })
    .await;
    assert!(answered.to_string().contains("From the den."), "{answered:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_token_lets_nobody_in() {
    let cluster = ClusterRunner::start(1, &NodeOptions::new()).await.unwrap();
    let made = cluster.nodes[0].cli(&["cluster", "token", "--timed", "1h", "--json"]).await.unwrap().json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let listed = cluster.nodes[0].cli(&["cluster", "token", "list"]).await.unwrap();
    assert!(listed.stdout.contains(id) && listed.stdout.contains("admin"), "{}", listed.text());
    let withdrawn = cluster.nodes[0].cli(&["cluster", "token", "revoke", id]).await.unwrap();
    assert!(withdrawn.status.success(), "{}", withdrawn.text());
    let late = NodeRunner::prepare(NodeOptions::new().join(token, &["--name", "late"])).await.unwrap();
    let refused = late.start_and_fail().await.unwrap();
    assert!(!refused.status.success() && refused.text().contains("withdrawn"), "{}", refused.text());
}
