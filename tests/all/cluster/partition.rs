//! Hosts that do not hear each other: network namespaces, root only, skipped with a plain message elsewhere.

use octopussy_tests::{AgentDirectory, ClusterRunner, Hosts, NodeOptions, NodeRunner, eventually};
use serde_json::json;

const ROOM: usize = 3;

/// A cluster with a host for each node. The model stub cannot be reached from there: agents use the embedded model.
async fn cluster(hosts: &Hosts) -> ClusterRunner {
    let mut cluster = ClusterRunner { nodes: Vec::new() };
    for host in 0..ROOM {
        let namespace = hosts.name(host);
        let config = format!(
            "cluster:\n  timings: fast\nmesh:\n  bind: {0}\n  advertise: [\"{0}\"]\ngateway:\n  bind: {0}\n",
            hosts.address(host)
        );
        let mut options = NodeOptions::new().wrapper(&["ip", "netns", "exec", &namespace]).config(&config);
        if host > 0 {
            let token = cluster.token().await.unwrap();
            options = options.join(&token, &["--name", &format!("host-{host}")]);
        }
        cluster.nodes.push(NodeRunner::start(options).await.unwrap());
    }
    cluster.settled().await;
    cluster
}

fn skipped() -> bool {
    let missing = Hosts::missing();
    if let Some(why) = &missing {
        println!("skipped: {why}");
    }
    missing.is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_refuses_falls_silent_and_agrees_after_healing() {
    if skipped() {
        return;
    }
    let hosts = Hosts::new(ROOM).unwrap();
    let cluster = cluster(&hosts).await;
    cluster.create_agent(&AgentDirectory::rich("clerk", "")).await.unwrap();
    let old = cluster.host_of(0, "clerk").await.unwrap();
    let (one, other) = ((old + 1) % ROOM, (old + 2) % ROOM);
    hosts.part(old, one).unwrap();
    hosts.part(old, other).unwrap();
    let minority = cluster.nodes[old].rest().unwrap();
    let body = json!({"agent": "clerk", "input": "What do you know?"});
    eventually("the old leader refuses", || async {
        let answer = minority.post("/api/v1/tasks", &body).await.ok()?;
        (answer.status == 503).then_some(())
    })
    .await;
    let task = cluster.submit(one, "clerk", "What do you know?", "partition").await;
    let ended = cluster.ended(other, &task).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended:#}");
    hosts.heal().unwrap();
    cluster.settled().await;
    assert_eq!(cluster.ended(old, &task).await, ended, "after healing all agree");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_not_heard_is_replaced() {
    if skipped() {
        return;
    }
    let hosts = Hosts::new(ROOM).unwrap();
    let cluster = cluster(&hosts).await;
    cluster.create_agent(&AgentDirectory::rich("clerk", "")).await.unwrap();
    let old = cluster.host_of(0, "clerk").await.unwrap();
    let one = (old + 1) % ROOM;
    // It hears the others, and they do not hear it.
    for deaf in (0..ROOM).filter(|host| *host != old) {
        hosts.cut(old, deaf).unwrap();
    }
    let task = cluster.submit(one, "clerk", "What do you know?", "one-way").await;
    assert_eq!(cluster.ended(one, &task).await["state"], "SUCCEEDED");
    hosts.heal().unwrap();
    cluster.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loss_and_a_hole_for_long_packets_slow_things_down_and_stop_nothing() {
    if skipped() {
        return;
    }
    let hosts = Hosts::new(ROOM).unwrap();
    let cluster = cluster(&hosts).await;
    cluster.create_agent(&AgentDirectory::rich("clerk", "")).await.unwrap();
    for host in 0..ROOM {
        hosts.lose(host, 5).unwrap();
        hosts.hole(host, 1_300).unwrap();
    }
    for number in 0..10 {
        let task =
            cluster.submit(number % ROOM, "clerk", &format!("Number {number}?"), &format!("loss-{number}")).await;
        assert_eq!(cluster.ended((number + 1) % ROOM, &task).await["state"], "SUCCEEDED");
    }
}
