//! One of three disks fills up: the others go on, and when there is room again all is as it was.

use octopussy_tests::{
    AgentDirectory, ClusterRunner, Metrics, ModelStub, NodeOptions, NodeRunner, Reply, SmallDisk, eventually,
    eventually_within,
};
use serde_json::json;
use std::cell::RefCell;
use std::time::Duration;

/// How many agents there are: enough that each of three nodes leads some.
const AGENTS: usize = 6;
/// How long the node may take to have what was accepted while it could not write, and its share of the leaderships.
const CATCH_UP: Duration = Duration::from_secs(60);

async fn is_ready(node: &NodeRunner) -> bool {
    let Ok(client) = node.rest() else { return false };
    client.get("/ready").await.is_ok_and(|answer| answer.status == 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_room_gives_its_leaderships_away_and_catches_up_later() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), 128) else {
        println!("SKIPPED: mounting a tmpfs is not allowed here (needs root)");
        return;
    };
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let options = NodeOptions::new().provider(&stub);
    let mut cluster = ClusterRunner::start(2, &options).await.unwrap();
    let small = cluster.join(&options.home(&disk.path().join("home"))).await.unwrap();
    cluster.settled().await;
    for index in 0..AGENTS {
        cluster.create_agent(&AgentDirectory::on_stub(&format!("agent-{index}"), "")).await.unwrap();
    }
    let led = |node: usize| {
        let offset = cluster.nodes[node].port_offset();
        async move { Some(Metrics::of(offset).await.ok()?.get("groups_led")) }
    };
    eventually("the node leads its share", || async { (led(small).await? > 0.0).then_some(()) }).await;

    let ballast = disk.fill(256 * 1024).unwrap();
    // Until the disk is full and the leaderships are gone, at the nodes that have room, in turn.
    let accepted = RefCell::new(Vec::new());
    let filler = "Snow is white. ".repeat(2_000);
    let full = eventually_within(CATCH_UP, "the node has no room and leads nothing any more", || async {
        let number = accepted.borrow().len();
        let agent = format!("agent-{}", number % AGENTS);
        let task = cluster.submit(number % 2, &agent, &filler, &format!("full-{number}")).await;
        accepted.borrow_mut().push(task);
        (!is_ready(&cluster.nodes[small]).await && led(small).await? == 0.0).then_some(number + 1)
    })
    .await;
    let mut accepted = accepted.into_inner();
    for number in 0..12 {
        let agent = format!("agent-{}", number % AGENTS);
        accepted.push(cluster.submit(number % 2, &agent, "And now?", &format!("after-{number}")).await);
    }
    println!("{full} tasks until the disk was full, {} in all", accepted.len());
    for task in &accepted {
        assert_eq!(cluster.ended(0, task).await["state"], "SUCCEEDED", "an acknowledged task is lost");
    }
    // The node itself says what is wrong, and still serves from the others what it can.
    let rest = cluster.nodes[small].rest().unwrap();
    let ready = rest.get("/ready").await.unwrap().expect_problem(503, "OCTO-1502");
    assert!(ready["detail"].as_str().is_some_and(|detail| detail.contains("disk is full")), "{ready:#}");
    let body = json!({"agent": "agent-0", "input": "From the full one?"});
    let answer = rest.post("/api/v1/tasks?wait=20s", &body).await.unwrap().expect_status(200);
    assert_eq!(answer["state"], "SUCCEEDED", "{answer:#}");

    std::fs::remove_file(ballast).unwrap();
    eventually_within(CATCH_UP, "the node is ready again and leads its share", || async {
        (is_ready(&cluster.nodes[small]).await && led(small).await? > 0.0).then_some(())
    })
    .await;
    cluster.settled().await;
    for task in &accepted {
        assert_eq!(cluster.ended(small, task).await["state"], "SUCCEEDED");
    }
    // What it has is good: it goes on with one of the others gone.
    cluster.nodes[0].kill9().unwrap();
    let last = cluster.submit(small, "agent-1", "And at last?", "last").await;
    assert_eq!(cluster.ended(small, &last).await["state"], "SUCCEEDED");
}
