//! Homes that were copied, and old homes that are put back.

use octopussy_tests::{AgentDirectory, CliOutput, ClusterRunner, ModelStub, NodeOptions, NodeRunner, Reply};
use std::path::Path;

/// The exit code of a start that must not be.
const IDENTITY_IN_USE: i32 = 6;

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

async fn start_copy(home: &Path) -> CliOutput {
    let copy = NodeRunner::prepare(NodeOptions::new().home(home)).await.unwrap();
    copy.start_and_fail().await.unwrap()
}

fn refused(output: &CliOutput, why: &str) {
    assert_eq!(output.status.code(), Some(IDENTITY_IN_USE), "{}", output.text());
    assert!(output.text().contains(why) && output.text().contains("cluster leave"), "{}", output.text());
}

/// The copy would be a majority together with the node that was down when tasks were acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_members_home_takes_no_part_and_nothing_acknowledged_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let mut tasks = vec![cluster.submit(0, "clerk", "first", "first").await];
    cluster.nodes[2].sigterm().await.unwrap();
    let old = folder.path().join("old");
    copy(cluster.nodes[2].home(), &old);
    cluster.nodes[2].launch().await.unwrap();
    cluster.settled().await;
    // While the node itself runs, its copy finds it.
    copy(&old, &folder.path().join("beside"));
    refused(&start_copy(&folder.path().join("beside")).await, "in use");
    cluster.nodes[0].sigterm().await.unwrap();
    for number in 0..5 {
        tasks.push(cluster.submit(1, "clerk", "more", &format!("more-{number}")).await);
    }
    for task in &tasks {
        assert_eq!(cluster.ended(1, task).await["state"], "SUCCEEDED");
    }
    cluster.nodes[2].sigterm().await.unwrap();
    cluster.nodes[1].sigterm().await.unwrap();
    cluster.nodes[0].spawn().unwrap();
    refused(&start_copy(&old).await, "in use elsewhere");
    let again = start_copy(&old).await;
    refused(&again, "in use elsewhere");
    let answer = cluster.nodes[0].rest().unwrap().get("/api/v1/cluster").await.unwrap();
    assert!(answer.body.to_string().contains("was refused"), "nobody is told: {:#}", answer.body);
    cluster.nodes[1].launch().await.unwrap();
    cluster.nodes[2].launch().await.unwrap();
    cluster.settled().await;
    for asked in 0..3 {
        for task in &tasks {
            assert_eq!(cluster.ended(asked, task).await["state"], "SUCCEEDED", "forgotten at {asked}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_of_a_founder_that_runs_alone_is_refused_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    node.sigterm().await.unwrap();
    let copied = folder.path().join("copied");
    copy(node.home(), &copied);
    node.launch().await.unwrap();
    refused(&start_copy(&copied).await, "another start of this node answers");
    let status = node.cli(&["cluster", "status"]).await.unwrap();
    assert!(status.text().contains("was refused"), "{}", status.text());
    assert!(node.sigterm().await.unwrap().success());
}
