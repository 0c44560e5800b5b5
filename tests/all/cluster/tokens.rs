//! Tokens of the interfaces, in a cluster: whoever revokes one does so for every node.

use octopussy_tests::{ClusterRunner, NodeOptions, eventually};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A second, and what a busy machine takes for it.
const SOON: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_refused_by_every_node_within_a_moment_and_after_a_restart() {
    let mut cluster = ClusterRunner::start(2, &NodeOptions::new()).await.unwrap();
    let made = cluster.nodes[0].cli(&["token", "create", "--role", "user", "--name", "chat", "--ttl", "1h", "--json"]);
    let made = made.await.unwrap();
    assert!(made.status.success(), "{}", made.text());
    let made = made.json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let with = |cluster: &ClusterRunner, node: usize| cluster.nodes[node].rest().unwrap().with_token(token);
    for node in 0..2 {
        with(&cluster, node).get("/api/v1/agents").await.unwrap().expect_status(200);
        // It is a user's: it manages nothing.
        with(&cluster, node).get("/api/v1/tokens").await.unwrap().expect_problem(403, "OCTO-1102");
    }
    // Each node's own is listed beside it, and is named as such.
    eventually("every node's own token is listed", || async {
        let listed = cluster.nodes[1].cli(&["token", "list", "--json"]).await.ok()?.json();
        let own = |token: &&Value| token["of_node"] == true && token["role"] == "ADMIN";
        (listed["items"].as_array()?.iter().filter(own).count() == 2).then_some(())
    })
    .await;

    let revoked = cluster.nodes[1].cli(&["token", "revoke", id]).await.unwrap();
    assert!(revoked.status.success(), "{}", revoked.text());
    let begun = Instant::now();
    for node in 0..2 {
        eventually("it is refused", || async {
            let answer = with(&cluster, node).get("/api/v1/agents").await.ok()?;
            (answer.body["code"] == "OCTO-1103").then_some(())
        })
        .await;
    }
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    cluster.nodes[0].restart_after_kill9().await.unwrap();
    // A node that was killed knows what it had stored, and the rest as soon as the others have told it.
    eventually("it is refused after a restart, and the node serves", || async {
        let answer = with(&cluster, 0).get("/api/v1/agents").await.ok()?;
        (answer.body["code"] == "OCTO-1103").then_some(())
    })
    .await;
    let unknown = cluster.nodes[0].cli(&["token", "revoke", "0000000000000000"]).await.unwrap();
    assert!(!unknown.status.success() && unknown.text().contains("OCTO-1104"), "{}", unknown.text());

    // A node whose own is revoked makes another, and its command line goes on.
    let own = |listed: &Value| -> Vec<String> {
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        let good = items.into_iter().filter(|token| token["of_node"] == true && token["revoked_at"].is_null());
        good.filter_map(|token| Some(token["id"].as_str()?.to_owned())).collect()
    };
    let listed = cluster.nodes[1].cli(&["token", "list", "--json"]).await.unwrap().json();
    let before = own(&listed);
    for id in &before {
        // The command's own token may be the first of them.
        eventually("it is revoked", || async {
            cluster.nodes[1].cli(&["token", "revoke", id]).await.ok()?.status.success().then_some(())
        })
        .await;
    }
    for node in 0..2 {
        eventually("the command line has another token", || async {
            let listed = cluster.nodes[node].cli(&["token", "list", "--json"]).await.ok()?;
            let now = own(&serde_json::from_str(&listed.stdout).ok()?);
            (listed.status.success() && now.len() == 2 && now.iter().all(|id| !before.contains(id))).then_some(())
        })
        .await;
    }
}
