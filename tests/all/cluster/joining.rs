//! Joining, and being refused.

use octopussy_tests::{AgentDirectory, CliOutput, ClusterRunner, ModelStub, NodeOptions, NodeRunner, Reply};

async fn refused(token: &str) -> CliOutput {
    let options = NodeOptions::new().join(token, &["--name", "stranger"]);
    let node = NodeRunner::prepare(options).await.unwrap();
    let output = node.start_and_fail().await.unwrap();
    assert!(!output.status.success(), "a node was let in: {}", output.text());
    output
}

fn says(output: &CliOutput, what: &[&str]) {
    let text = output.text();
    assert!(what.iter().any(|what| text.contains(what)), "none of {what:?} in:\n{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_for_one_node_of_its_own_cluster() {
    let mut cluster = ClusterRunner::start(1, &NodeOptions::new()).await.unwrap();
    let token = cluster.token().await.unwrap();
    let second = NodeOptions::new().join(&token, &["--name", "second"]);
    cluster.nodes.push(NodeRunner::start(second).await.unwrap());
    says(&refused(&token).await, &["used already"]);
    let log = cluster.nodes[0].log();
    assert!(log.contains("used already"), "the admitting side says nothing:\n{log}");

    says(&refused("nonsense").await, &["not a join token"]);
    says(&refused(&token[..token.len() - 4]).await, &["cut off"]);

    let other = ClusterRunner::start(1, &NodeOptions::new()).await.unwrap();
    let foreign = other.token().await.unwrap();
    let rest = cluster.nodes[1].rest().unwrap();
    let members = rest.get("/api/v1/cluster/members").await.unwrap().expect_status(200);
    assert_eq!(members["items"].as_array().map(Vec::len), Some(2), "{members:#}");
    // A member is asked to join another cluster: its data would be lost.
    let mut member = cluster.nodes.pop().unwrap();
    member.sigterm().await.unwrap();
    let output = member
        .cli(&["start", "--foreground", "--join", &foreign, "--port-offset", &member.port_offset().to_string()])
        .await
        .unwrap();
    assert!(!output.status.success(), "{}", output.text());
    says(&output, &["belongs to"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ran_alone_takes_its_agents_and_tasks_into_the_cluster() {
    let stub = ModelStub::scripted(|_| Reply::Text("Noted.".to_owned())).await.unwrap();
    let options = NodeOptions::new().provider(&stub);
    let mut cluster = ClusterRunner::start(1, &options).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("elder", "")).await.unwrap();
    let task = cluster.submit(0, "elder", "Remember this.", "before").await;
    let before = cluster.ended(0, &task).await;
    for _ in 0..2 {
        cluster.join(&options).await.unwrap();
    }
    cluster.settled().await;
    for node in 0..3 {
        assert_eq!(cluster.ended(node, &task).await, before, "node {node} tells another story");
    }
    // The first node is no longer needed.
    cluster.nodes[0].kill9().unwrap();
    assert_eq!(cluster.ended(1, &task).await, before);
    let after = cluster.submit(2, "elder", "And this.", "after").await;
    assert_eq!(cluster.ended(1, &after).await["state"], "SUCCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_shows_every_member() {
    let cluster = ClusterRunner::start(3, &NodeOptions::new()).await.unwrap();
    for node in &cluster.nodes {
        let table = node.cli(&["cluster", "members"]).await.unwrap();
        assert!(table.status.success(), "{}", table.text());
        let mut ids = Vec::new();
        for other in 0..3 {
            ids.push(cluster.id_of(other).await.unwrap());
        }
        let members = node.cli(&["cluster", "members", "--json"]).await.unwrap().json();
        let members = members["items"].as_array().cloned().unwrap_or_default();
        let mut listed: Vec<String> =
            members.iter().filter_map(|member| member["id"].as_str().map(str::to_owned)).collect();
        listed.sort();
        ids.sort();
        assert_eq!(listed, ids);
    }
}
