//! Machines that are lost for good, and the command that goes on without them.

use octopussy_tests::{
    AgentDirectory, ClusterRunner, Metrics, ModelStub, NodeOptions, NodeRunner, PATIENCE, Reply, eventually,
};
use serde_json::json;

async fn members(node: &NodeRunner) -> Option<Vec<String>> {
    let answer = node.rest().ok()?.get("/api/v1/cluster/members").await.ok()?;
    let items = answer.body["items"].as_array()?.clone();
    Some(items.iter().filter_map(|member| member["name"].as_str().map(str::to_owned)).collect())
}

/// Waits until every copy has what the leaders have: a majority is enough for an answer, and one node may be none.
async fn copied(cluster: &ClusterRunner) {
    eventually("no entry is on its way", || async {
        for node in &cluster.nodes {
            let metrics = Metrics::of(node.port_offset()).await.ok()?;
            if metrics.get("mesh_calls_in_flight{lane=\"raft_append\"}") > 0.0 {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// What `octopussy cluster status` says once `part` is in it.
async fn status_says(node: &NodeRunner, part: &str) -> String {
    eventually(&format!("the status says '{part}'"), || async {
        let status = node.cli(&["cluster", "status"]).await.ok()?;
        status.text().contains(part).then(|| status.text())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_goes_on_alone_by_command_and_the_lost_are_refused() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let options = NodeOptions::new().provider(&stub);
    let mut cluster = ClusterRunner::start(3, &options).await.unwrap();
    for index in 0..4 {
        cluster.create_agent(&AgentDirectory::on_stub(&format!("agent-{index}"), "")).await.unwrap();
    }
    cluster.create_agent(&AgentDirectory::on_stub("sleeper", "")).await.unwrap();
    let rest = cluster.nodes[0].rest().unwrap();
    rest.post("/api/v1/agents/sleeper/pause", &json!({})).await.unwrap();
    let mut accepted = Vec::new();
    for index in 0..8 {
        let task =
            cluster.submit(index, &format!("agent-{}", index % 4), "Are you there?", &format!("t-{index}")).await;
        cluster.ended(0, &task).await;
        accepted.push(task);
    }
    let waiting = cluster.submit(1, "sleeper", "Later.", "waiting").await;

    copied(&cluster).await;
    let (mut returns, mut gone) = (cluster.nodes.remove(1), cluster.nodes.remove(1));
    returns.kill9().unwrap();
    gone.kill9().unwrap();
    std::fs::remove_dir_all(gone.home()).unwrap();
    let survivor = &cluster.nodes[0];

    // It says what is the matter and what to type.
    let said = status_says(survivor, "a majority of the voters is down").await;
    assert!(said.contains("no leader") && said.contains("octopussy cluster recover"), "{said}");
    assert!(!said.contains("leave node-2"), "nobody can be taken out now:\n{said}");
    // A task that is on its way when the lease runs out is told that nobody knows yet; every later one what to do.
    eventually("work is refused with what to type", || async {
        let refused = rest.post("/api/v1/tasks", &json!({"agent": "agent-0", "input": "Now?"})).await.unwrap();
        let problem = refused.expect_problem(503, "OCTO-1502");
        problem["hint"].as_str()?.contains("octopussy cluster status").then_some(())
    })
    .await;

    // Nobody who cannot be asked, and nobody who does not say yes, loses anything.
    let unasked = survivor.cli(&["cluster", "recover"]).await.unwrap();
    assert!(!unasked.status.success() && unasked.text().contains("--yes"), "{}", unasked.text());
    let no = survivor.cli_on_terminal(&["cluster", "recover"], "no\n").await.unwrap();
    assert!(!no.status.success() && no.text().contains("nothing was changed"), "{}", no.text());
    assert!(no.text().contains("node-2") && no.text().contains("node-3"), "who is lost is not said:\n{}", no.text());
    assert_eq!(members(survivor).await.map(|members| members.len()), Some(3));

    let yes = survivor.cli_on_terminal(&["cluster", "recover"], "yes\n").await.unwrap();
    assert!(yes.status.success(), "{}", yes.text());
    assert!(yes.text().contains("16 shards and the control group go on"), "{}", yes.text());
    assert!(yes.text().contains("node-2, node-3"), "{}", yes.text());
    status_says(survivor, "nothing to be done").await;
    assert_eq!(members(survivor).await.map(|members| members.len()), Some(1));

    for task in accepted {
        assert_eq!(cluster.ended(0, &task).await["state"], "SUCCEEDED");
    }
    let later = rest.get(&format!("/api/v1/tasks/{waiting}")).await.unwrap().expect_status(200);
    assert_eq!(later["state"], "ACCEPTED", "{later:#}");
    rest.post("/api/v1/agents/sleeper/resume", &json!({})).await.unwrap();
    assert_eq!(cluster.ended(0, &waiting).await["state"], "SUCCEEDED");
    let task = cluster.submit(0, "agent-1", "And now?", "after").await;
    assert_eq!(cluster.ended(0, &task).await["state"], "SUCCEEDED");

    // One of the lost comes back with what it had.
    returns.spawn().unwrap();
    let end = returns.exited(PATIENCE).await.unwrap();
    assert!(!end.success(), "a lost node takes part again");
    assert!(returns.log().contains("was removed from cluster"), "{}", returns.log());
    assert_eq!(members(survivor).await.map(|members| members.len()), Some(1));

    // The machines join again with new homes, and all is as it was.
    for _ in 0..2 {
        cluster.join(&options).await.unwrap();
    }
    cluster.settled().await;
    assert_eq!(cluster.ended(2, &task).await["state"], "SUCCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_of_two_becomes_the_truth_by_command() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut cluster = ClusterRunner::start(2, &NodeOptions::new().provider(&stub)).await.unwrap();
    let ring = cluster.nodes[1].rest().unwrap().get("/api/v1/cluster/ring").await.unwrap().expect_status(200);
    let lost_id = cluster.id_of(0).await.unwrap();
    let voted_by_lost =
        ring["items"].as_array().unwrap().iter().filter(|row| row["voters"] == json!([lost_id])).count();
    assert!(voted_by_lost > 0, "{ring:#}");
    // Agents of both kinds of shards: those whose voter is lost, and those whose voter stays.
    let mut tasks = Vec::new();
    for index in 0..8 {
        let name = format!("agent-{index}");
        cluster.create_agent(&AgentDirectory::on_stub(&name, "")).await.unwrap();
        let task = cluster.submit(index, &name, "Are you there?", &name).await;
        cluster.ended(1, &task).await;
        tasks.push(task);
    }
    copied(&cluster).await;
    let mut founder = cluster.nodes.remove(0);
    founder.kill9().unwrap();
    let copy = &cluster.nodes[0];
    let said = status_says(copy, "a majority of the voters is down").await;
    assert!(said.contains("octopussy cluster recover"), "{said}");
    let recovered = copy.cli(&["cluster", "recover", "--yes", "--json"]).await.unwrap().json();
    assert_eq!(recovered["shards"].as_array().map(Vec::len), Some(voted_by_lost), "{recovered:#}");
    assert_eq!(recovered["control_group"], true, "{recovered:#}");
    assert_eq!(recovered["lost"].as_array().map(Vec::len), Some(1), "{recovered:#}");
    status_says(copy, "nothing to be done").await;
    for task in tasks {
        assert_eq!(cluster.ended(0, &task).await["state"], "SUCCEEDED");
    }
    for index in 0..8 {
        let task = cluster.submit(0, &format!("agent-{index}"), "And now?", &format!("after-{index}")).await;
        assert_eq!(cluster.ended(0, &task).await["state"], "SUCCEEDED");
    }
    founder.spawn().unwrap();
    assert!(!founder.exited(PATIENCE).await.unwrap().success(), "the lost voter takes part again");
    assert!(founder.log().contains("was removed from cluster"), "{}", founder.log());
}
