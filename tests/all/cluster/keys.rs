//! The keys that members share change, and nothing is lost or locked out by it.

use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, Reply, eventually};
use serde_json::json;

/// The key changes at one node while tasks come in at another: none of them is a forgery to anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_come_in_while_the_message_key_changes_are_all_carried_out() {
    let stub = ModelStub::scripted(|_| Reply::Text("Done.".to_owned())).await.unwrap();
    let cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    for agent in ["one", "two", "three"] {
        cluster.create_agent(&AgentDirectory::on_stub(agent, "")).await.unwrap();
    }
    let mut tasks = Vec::new();
    for round in 0..3 {
        // A rotation that is still under way is the same rotation.
        let rotated = cluster.nodes[1].cli(&["secret", "rotate", "message.signing_key"]).await.unwrap();
        assert!(rotated.status.success() || rotated.text().contains("under way"), "{}", rotated.text());
        for number in 0..30 {
            let agent = ["one", "two", "three"][number % 3];
            let key = format!("{round}-{number}");
            tasks.push(cluster.submit(number % 3, agent, "Do it.", &key).await);
        }
    }
    for task in &tasks {
        assert_eq!(cluster.ended(0, task).await["state"], "SUCCEEDED", "{task}");
    }
    let letters = cluster.nodes[0].rest().unwrap().get("/api/v1/dlq").await.unwrap().expect_status(200);
    assert_eq!(letters["items"], json!([]));
}

/// A member is stolen: it is out, its invitations are void, and the others go on with keys that it never saw.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_member_costs_its_invitations_and_its_keys_without_an_outage() {
    let stub = ModelStub::scripted(|_| Reply::Text("Done.".to_owned())).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let token = |home: &std::path::Path| std::fs::read_to_string(home.join("credentials.json")).unwrap();
    let authority = |home: &std::path::Path| std::fs::read_to_string(home.join("tls/ca.pem")).unwrap();
    let (before, authority_before) = (token(cluster.nodes[0].home()), authority(cluster.nodes[0].home()));
    let made = cluster.nodes[2].cli(&["cluster", "token", "--timed", "1h"]).await.unwrap();
    assert!(made.status.success(), "{}", made.text());
    cluster.nodes[2].kill9().unwrap();
    let stolen = cluster.nodes[0].cli(&["cluster", "leave", "node-3", "--stolen"]).await.unwrap();
    assert!(stolen.status.success(), "{}", stolen.text());
    let tokens = cluster.nodes[0].cli(&["cluster", "token", "list", "--json"]).await.unwrap().json();
    assert_eq!(tokens["items"], json!([]), "an invitation is left");
    eventually("it is out, and the members have tokens of another key and another authority", || async {
        let members = cluster.nodes[0].rest().ok()?.get("/api/v1/cluster/members").await.ok()?;
        let out = members.body["items"].as_array()?.len() == 2;
        let other = |node: &octopussy_tests::NodeRunner| !authority(node.home()).starts_with(&authority_before);
        (out && token(cluster.nodes[0].home()) != before && cluster.nodes[..2].iter().all(other)).then_some(())
    })
    .await;
    for node in 0..2 {
        let listed = cluster.nodes[node].cli(&["agent", "list"]).await.unwrap();
        assert!(listed.status.success(), "{}", listed.text());
        let task = cluster.submit(node, "clerk", "Do it.", &format!("after-{node}")).await;
        assert_eq!(cluster.ended(1 - node, &task).await["state"], "SUCCEEDED");
    }
}
