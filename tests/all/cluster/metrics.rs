//! What the nodes of a cluster tell under `/metrics` moves with what happens to them.

use octopussy_tests::{AgentDirectory, ClusterRunner, Metrics, ModelStub, NodeOptions, Reply, eventually};

/// The groups of a cluster with the default number of shards: those and the control group.
const GROUPS: f64 = 17.0;

async fn of(cluster: &ClusterRunner, node: usize) -> Option<Metrics> {
    Metrics::of(cluster.nodes[node].port_offset()).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_of_mesh_groups_and_members_move_with_what_happens() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let mut led = 0.0;
    for node in 0..3 {
        let metrics = of(&cluster, node).await.unwrap();
        assert_eq!(metrics.get("mesh_peers"), 2.0);
        assert_eq!(metrics.get("members{reach=\"alive\"}"), 3.0);
        assert_eq!(metrics.get("groups"), GROUPS);
        assert!(metrics.get("mesh_connections_total") >= 2.0 && metrics.get("mesh_received_datagrams_total") > 0.0);
        assert!(metrics.get("log_size_bytes") > 0.0 && metrics.get("state_size_bytes") > 0.0);
        led += metrics.get("groups_led");
    }
    assert_eq!(led, GROUPS, "every group has one leader");

    work_shows(&cluster).await;

    let host = cluster.host_of(0, "clerk").await.unwrap();
    let (witness, other) = ((host + 1) % 3, (host + 2) % 3);
    let before = of(&cluster, witness).await.unwrap();
    cluster.nodes[host].kill9().unwrap();
    eventually("the death shows", || async {
        let now = of(&cluster, witness).await?;
        let grew = |name: &str| now.get(name) > before.get(name);
        let seen = grew("mesh_closed_connections_total")
            && grew("mesh_redials_total")
            && grew("mesh_failed_dials_total")
            && grew("group_elections_total")
            && grew("group_leader_changes_total")
            && now.get("mesh_peers") == 1.0
            && now.get("members{reach=\"down\"}") == 1.0;
        seen.then_some(())
    })
    .await;

    // Alone, it falls silent: its lease runs out.
    let lease = "group_step_downs_total{reason=\"lease\"}";
    let before = of(&cluster, witness).await.unwrap();
    cluster.nodes[other].kill9().unwrap();
    eventually("the lost leases show", || async {
        let now = of(&cluster, witness).await?;
        (now.get("groups_led") == 0.0 && now.get(lease) > before.get(lease)).then_some(())
    })
    .await;
}

/// A task that is submitted at another node than its host's travels on a lane and ends in every log.
async fn work_shows(cluster: &ClusterRunner) {
    let host = cluster.host_of(0, "clerk").await.unwrap();
    let witness = (host + 1) % 3;
    let before = [of(cluster, witness).await.unwrap(), of(cluster, host).await.unwrap()];
    let task = cluster.submit(witness, "clerk", "How are you?", "metrics").await;
    assert_eq!(cluster.ended(witness, &task).await["state"], "SUCCEEDED");
    // The follower hears of the last entries a moment after the answer.
    eventually("the work shows", || async {
        let after = [of(cluster, witness).await?, of(cluster, host).await?];
        let grew = |side: usize, name: &str| after[side].get(name) > before[side].get(name);
        let forwarded = ["calls", "sent_bytes", "received_bytes", "sent_frames", "received_frames"];
        let shows = forwarded.iter().all(|name| grew(0, &format!("mesh_{name}_total{{lane=\"forward\"}}")))
            && grew(1, "mesh_served_calls_total{lane=\"forward\"}")
            && grew(1, "mesh_calls_total{lane=\"raft_append\"}")
            && grew(0, "mesh_served_calls_total{lane=\"raft_append\"}")
            && ["group_applied_entries", "log_appended_bytes", "log_syncs"]
                .iter()
                .all(|name| [0, 1].into_iter().all(|side| grew(side, &format!("{name}_total"))));
        shows.then_some(())
    })
    .await;
    let after = of(cluster, witness).await.unwrap();
    assert_eq!(after.sum("mesh_refused_connections_total"), 0.0, "nobody was refused");
}
