//! Hosts whose addresses change, and hosts without IPv4: network namespaces, root only, skipped with a plain message elsewhere.

use octopussy_tests::{AgentDirectory, ClusterRunner, Hosts, NodeOptions, NodeRunner};

const ROOM: usize = 3;

/// What is in a node's `config.yaml`. Its interfaces are where the test reaches them; where the mesh is reached it finds out itself.
fn config(hosts: &Hosts, host: usize, mesh: &str) -> String {
    format!("cluster:\n  timings: fast\ngateway:\n  bind: \"{}\"\nmesh:\n{mesh}", hosts.address(host))
}

/// A cluster with a host for each node, and an agent that knows something.
async fn cluster(hosts: &Hosts, mesh: &str) -> ClusterRunner {
    let mut cluster = ClusterRunner { nodes: Vec::new() };
    for host in 0..ROOM {
        let namespace = hosts.name(host);
        let mut options =
            NodeOptions::new().wrapper(&["ip", "netns", "exec", &namespace]).config(&config(hosts, host, mesh));
        if host > 0 {
            let token = cluster.token().await.unwrap();
            options = options.join(&token, &["--name", &format!("host-{host}")]);
        }
        cluster.nodes.push(NodeRunner::start(options).await.unwrap());
    }
    cluster.settled().await;
    cluster.create_agent(&AgentDirectory::rich("clerk", "")).await.unwrap();
    cluster
}

fn skipped() -> bool {
    let missing = Hosts::missing();
    if let Some(why) = &missing {
        println!("skipped: {why}");
    }
    missing.is_some()
}

/// Ends all nodes, gives all hosts other addresses, and starts the nodes again.
async fn move_house(hosts: &mut Hosts, cluster: &mut ClusterRunner, mesh: impl Fn(&Hosts, usize) -> String) {
    for node in &mut cluster.nodes {
        node.kill9().unwrap();
    }
    hosts.renumber().unwrap();
    for host in 0..ROOM {
        cluster.nodes[host].write_config(&config(hosts, host, &mesh(hosts, host))).unwrap();
        cluster.nodes[host].spawn().unwrap();
    }
    cluster.settled().await;
}

async fn works(cluster: &ClusterRunner, key: &str) -> (String, serde_json::Value) {
    let task = cluster.submit(0, "clerk", "What do you know?", key).await;
    let ended = cluster.ended(1, &task).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended:#}");
    (task, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_announce_themselves_find_each_other_when_all_addresses_have_changed() {
    if skipped() {
        return;
    }
    let mut hosts = Hosts::new(ROOM).unwrap();
    let announce = "  announce: true\n";
    let mut cluster = cluster(&hosts, announce).await;
    let (task, ended) = works(&cluster, "before").await;
    move_house(&mut hosts, &mut cluster, |_, _| announce.to_owned()).await;
    assert_eq!(cluster.ended(2, &task).await, ended);
    works(&cluster, "after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_seed_is_enough_when_all_addresses_have_changed() {
    if skipped() {
        return;
    }
    let mut hosts = Hosts::new(ROOM).unwrap();
    let mut cluster = cluster(&hosts, "  announce: false\n").await;
    let (task, ended) = works(&cluster, "before").await;
    let port = 47_210 + cluster.nodes[0].port_offset();
    // The one that is named needs to look for nobody: the others come to it.
    let seed = |hosts: &Hosts, host: usize| match host {
        0 => "  announce: false\n".to_owned(),
        _ => format!("  seeds: [\"{}:{port}\"]\n", hosts.address(0)),
    };
    move_house(&mut hosts, &mut cluster, seed).await;
    assert_eq!(cluster.ended(2, &task).await, ended);
    works(&cluster, "after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_without_ipv4_form_a_cluster_and_survive_the_loss_of_one() {
    if skipped() {
        return;
    }
    let hosts = Hosts::without_ipv4(ROOM).unwrap();
    let mut cluster = cluster(&hosts, "  announce: false\n").await;
    let (task, ended) = works(&cluster, "whole").await;
    let host = cluster.host_of(1, "clerk").await.unwrap();
    cluster.nodes[host].kill9().unwrap();
    let (one, other) = ((host + 1) % ROOM, (host + 2) % ROOM);
    let after = cluster.submit(one, "clerk", "What do you know?", "two left").await;
    assert_eq!(cluster.ended(other, &after).await["state"], "SUCCEEDED");
    assert_eq!(cluster.ended(one, &task).await, ended);
}
