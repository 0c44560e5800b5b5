//! Starting and stopping, as scripts, terminals and supervisors do it.

use octopussy_tests::{ClusterRunner, NodeOptions, NodeRunner, PATIENCE};
use rustix::process::{Pid, Signal, kill_process};

#[tokio::test]
async fn a_closed_terminal_stops_a_node_in_good_order() {
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let pid = node.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    let status = node.exited(PATIENCE).await.unwrap();
    assert!(status.success(), "{status}\n{}", node.log());
    assert!(!node.home().join("run/node.json").exists(), "it has left the file that names a running node");
}

#[tokio::test]
async fn a_home_keeps_its_ports_and_can_be_started_as_soon_as_it_is_stopped() {
    let node = NodeRunner::prepare(NodeOptions::new()).await.unwrap();
    let address = node.rest_address();
    for _ in 0..3 {
        // The offset was told to `install`; the home has kept it.
        let started = node.cli(&["start", "--json"]).await.unwrap();
        assert!(started.status.success(), "{}", started.text());
        assert_eq!(started.json()["url"], format!("https://{address}"), "it has moved");
        let stopped = node.cli(&["stop"]).await.unwrap();
        assert!(stopped.status.success(), "{}", stopped.text());
        std::net::TcpListener::bind(&address).expect("the port is free as soon as the node is said to have stopped");
        let mesh = ("0.0.0.0", 47_210 + node.port_offset());
        std::net::UdpSocket::bind(mesh).expect("the mesh's port is free as soon as the node is said to have stopped");
    }
}

#[tokio::test]
async fn what_a_running_node_cannot_follow_is_refused() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let other = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let token = other.cli(&["cluster", "token", "--json"]).await.unwrap().json();
    let token = token["token"].as_str().unwrap();
    for arguments in
        [&["start", "--join", token][..], &["start", "--set", "store.cache_mb=8"], &["start", "--name", "x"]]
    {
        let output = node.cli(arguments).await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", output.text());
        assert!(output.text().contains("runs already"), "{arguments:?}: {}", output.text());
    }
    let own = node.cli(&["cluster", "token", "--json"]).await.unwrap().json();
    let own = node.cli(&["start", "--join", own["token"].as_str().unwrap()]).await.unwrap();
    assert!(own.status.success(), "a token of its own cluster asks for nothing: {}", own.text());
    assert!(node.cli(&["start"]).await.unwrap().status.success(), "nothing was asked for");
}

#[tokio::test]
async fn a_home_that_was_to_join_founds_no_cluster_of_its_own() {
    let mut other = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let token = other.cli(&["cluster", "token", "--json"]).await.unwrap().json();
    other.sigterm().await.unwrap();
    let mut node = NodeRunner::prepare(NodeOptions::new().join(token["token"].as_str().unwrap(), &[])).await.unwrap();
    let refused = node.start_and_fail().await.unwrap();
    assert!(!refused.status.success() && refused.text().contains("no member"), "{}", refused.text());
    let offset = node.port_offset().to_string();
    for arguments in [&["start", "--foreground", "--port-offset", &offset][..], &["start", "--port-offset", &offset]] {
        let refused = node.cli(arguments).await.unwrap();
        assert!(!refused.status.success() && refused.text().contains("was to join"), "{}", refused.text());
    }
    // The operator may say that it is to found one after all.
    let founded = node.cli(&["start", "--found", "--port-offset", &offset]).await.unwrap();
    assert!(founded.status.success(), "{}", founded.text());
    assert!(node.cli(&["stop"]).await.unwrap().status.success());
    node.launch().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_speaks_of_this_node_and_no_other() {
    let mut cluster = ClusterRunner::start(2, &NodeOptions::new()).await.unwrap();
    assert!(cluster.nodes[1].cli(&["status"]).await.unwrap().status.success());
    cluster.nodes[1].kill9().unwrap();
    let dead = cluster.nodes[1].cli(&["status"]).await.unwrap();
    assert_eq!(dead.status.code(), Some(3), "{}", dead.text());
    assert!(dead.text().contains("does not run"), "{}", dead.text());
    // Another node of the cluster answers where this home's node is expected.
    let path = cluster.nodes[1].home().join("credentials.json");
    let mut credentials: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    credentials["url"] = format!("https://{}", cluster.nodes[0].rest_address()).into();
    std::fs::write(&path, credentials.to_string()).unwrap();
    let dead = cluster.nodes[1].cli(&["status"]).await.unwrap();
    assert_eq!(dead.status.code(), Some(3), "{}", dead.text());
    assert!(dead.text().contains("does not run"), "{}", dead.text());
}
