//! The cluster's certificate authority is exchanged while the cluster works.

use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, NodeRunner, Reply, eventually};
use reqwest::Certificate;
use std::time::Duration;

fn authorities(node: &NodeRunner) -> String {
    std::fs::read_to_string(node.home().join("tls/ca.pem")).unwrap()
}

fn count(pem: &str) -> usize {
    pem.matches("BEGIN CERTIFICATE").count()
}

/// Whether a client outside that trusts these authorities alone reaches the node.
async fn is_trusted(node: &NodeRunner, pem: &str) -> bool {
    let trusted = Certificate::from_pem_bundle(pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).timeout(Duration::from_secs(20));
    let url = format!("https://{}/health", node.rest_address());
    client.build().unwrap().get(url).send().await.is_ok()
}

async fn works_here(cluster: &ClusterRunner, index: usize, key: &str) {
    let listed = cluster.nodes[index].cli(&["agent", "list"]).await.unwrap();
    assert!(listed.status.success(), "the command line is locked out at {index}: {}", listed.text());
    let task = cluster.submit(index, "clerk", "Do it.", key).await;
    assert_eq!(cluster.ended(index, &task).await["state"], "SUCCEEDED");
}

/// Twice: with an overlap in which nobody notices, and at once while a member is down, which comes back knowing none of the others'.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_is_replaced_without_an_outage_and_a_member_that_was_down_comes_back() {
    let stub = ModelStub::scripted(|_| Reply::Text("Done.".to_owned())).await.unwrap();
    let options = NodeOptions::new().provider(&stub);
    let mut cluster = ClusterRunner::start(3, &options).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let first = authorities(&cluster.nodes[0]);
    let rotated = cluster.nodes[1].cli(&["cluster", "rotate-ca"]).await.unwrap();
    assert!(rotated.status.success() && rotated.text().contains("ca.pem"), "{}", rotated.text());
    let mut tasks = Vec::new();
    for number in 0..30 {
        tasks.push(cluster.submit(number % 3, "clerk", "Do it.", &format!("meanwhile-{number}")).await);
    }
    eventually("every member is under the new one", || async {
        let at = |node: &NodeRunner| count(&authorities(node)) == 2 && !authorities(node).starts_with(&first);
        cluster.nodes.iter().all(at).then_some(())
    })
    .await;
    for task in &tasks {
        assert_eq!(cluster.ended(0, task).await["state"], "SUCCEEDED", "{task}");
    }
    for index in 0..3 {
        assert!(is_trusted(&cluster.nodes[index], &first).await, "clients outside are locked out at once");
        works_here(&cluster, index, &format!("overlap-{index}")).await;
    }

    cluster.nodes[2].kill9().unwrap();
    let second = authorities(&cluster.nodes[0]);
    let rotated = cluster.nodes[0].cli(&["cluster", "rotate-ca", "--now"]).await.unwrap();
    assert!(rotated.status.success(), "{}", rotated.text());
    eventually("the others trust the third alone", || async {
        cluster.nodes[..2].iter().all(|node| count(&authorities(node)) == 1).then_some(())
    })
    .await;
    let third = authorities(&cluster.nodes[0]);
    assert!(!second.contains(third.trim()), "what was to be given up is still there");
    for index in 0..2 {
        // What is written down is shown a moment later.
        eventually("what was given up counts for nothing", || async {
            (!is_trusted(&cluster.nodes[index], &second).await).then_some(())
        })
        .await;
        assert!(is_trusted(&cluster.nodes[index], &third).await);
        works_here(&cluster, index, &format!("without-{index}")).await;
    }
    // It knows the others by their keys, and they know it.
    cluster.nodes[2].launch().await.unwrap();
    eventually("the one that was down is under the third", || async {
        (authorities(&cluster.nodes[2]) == third).then_some(())
    })
    .await;
    works_here(&cluster, 2, "back").await;
    let newcomer = cluster.join(&options).await.unwrap();
    assert_eq!(authorities(&cluster.nodes[newcomer]), third);
    works_here(&cluster, newcomer, "joined").await;
    // Once everything is written down, a restart changes nothing.
    cluster.nodes[1].restart_after_kill9().await.unwrap();
    works_here(&cluster, 1, "again").await;
}
