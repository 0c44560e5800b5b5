//! What can be done with secrets, and what must not.

use octopussy_tests::{CliOutput, NodeOptions, NodeRunner, eventually};
use reqwest::Method;
use serde_json::{Value, json};

fn token(node: &NodeRunner) -> String {
    let bytes = std::fs::read(node.home().join("credentials.json")).unwrap();
    let credentials: Value = serde_json::from_slice(&bytes).unwrap();
    credentials["token"].as_str().unwrap().to_owned()
}

fn refused(output: &CliOutput, why: &str) {
    assert!(!output.status.success(), "it was done: {}", output.text());
    assert!(output.text().contains(why), "it does not say '{why}': {}", output.text());
}

async fn put(node: &NodeRunner, name: &str) -> u16 {
    let rest = node.rest().unwrap();
    let request = rest.request(Method::PUT, &format!("/api/v1/secrets/{name}")).json(&json!({"value": "sk-mine"}));
    rest.send(request).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_secret_is_never_replaced_by_random_bytes_and_can_be_removed() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    assert_eq!(put(&node, "openai.api_key").await, 204);
    refused(&node.cli(&["secret", "rotate", "openai.api_key"]).await.unwrap(), "octopussy secret set openai.api_key");
    refused(&node.cli(&["secret", "rotate", "nosuch"]).await.unwrap(), "nosuch");
    let listed = node.cli(&["secret", "list"]).await.unwrap();
    assert!(listed.stdout.contains("openai.api_key") && !listed.stdout.contains("nosuch"), "{}", listed.text());
    let rest = node.rest().unwrap();
    let rotate = async |name: &str| rest.post("/api/v1/secrets-rotations", &json!({"name": name})).await.unwrap();
    rotate("openai.api_key").await.expect_problem(409, "OCTO-1601");
    rotate("nosuch").await.expect_problem(404, "OCTO-1600");

    // The keys that nodes make are neither set nor removed by anybody.
    for name in ["jwt.signing_key", "message.signing_key", "jwt.signing_key.previous"] {
        assert_eq!(put(&node, name).await, 409, "{name} was set");
        let removed = rest.delete(&format!("/api/v1/secrets/{name}")).await.unwrap();
        removed.expect_problem(409, "OCTO-1601");
    }

    let removed = node.cli(&["secret", "delete", "openai.api_key"]).await.unwrap();
    assert!(removed.status.success(), "{}", removed.text());
    let listed = node.cli(&["secret", "list"]).await.unwrap();
    assert!(!listed.stdout.contains("openai.api_key"), "{}", listed.text());
    rest.delete("/api/v1/secrets/openai.api_key").await.unwrap().expect_problem(404, "OCTO-1600");
}

/// The node's own command line is never locked out, and an old token ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_token_key_renews_the_credentials_while_the_node_runs() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let (before, rest) = (token(&node), node.rest().unwrap());
    let rotated = node.cli(&["secret", "rotate", "jwt.signing_key"]).await.unwrap();
    assert!(rotated.status.success(), "{}", rotated.text());
    eventually("the credentials hold another token", || async { (token(&node) != before).then_some(()) }).await;
    let listed = node.cli(&["agent", "list"]).await.unwrap();
    assert!(listed.status.success(), "{}", listed.text());
    assert_eq!(rest.with_token(&before).get("/api/v1/agents").await.unwrap().status, 200, "there is no overlap");
    let second = token(&node);
    let ended = node.cli(&["cluster", "rotate-keys", "--now"]).await.unwrap();
    assert!(ended.status.success(), "{}", ended.text());
    for old in [&before, &second] {
        let old = rest.with_token(old);
        eventually("the old token ends", || async {
            (old.get("/api/v1/agents").await.ok()?.status == 401).then_some(())
        })
        .await;
    }
    eventually("the command line has a new one", || async {
        node.cli(&["agent", "list"]).await.ok()?.status.success().then_some(())
    })
    .await;
}
