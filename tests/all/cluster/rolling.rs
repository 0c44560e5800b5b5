//! A restart of every node, one after the other, while work goes on.

use super::load::Load;
use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, Reply};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_is_restarted_in_turn_and_nothing_is_lost() {
    let stub = ModelStub::scripted(|call| Reply::Text(format!("Re: {}", call.last_turn().trim()))).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    let agents: Vec<String> = (0..4).map(|index| format!("agent-{index}")).collect();
    for agent in &agents {
        cluster.create_agent(&AgentDirectory::on_stub(agent, "")).await.unwrap();
    }
    let (load, clients) = (Load::default(), cluster.nodes.iter().map(|node| node.rest().unwrap()).collect::<Vec<_>>());
    let roll = async {
        for index in 0..3 {
            let status = cluster.nodes[index].sigterm().await.unwrap();
            assert!(status.success(), "a graceful stop ends with {status}");
            cluster.nodes[index].launch().await.unwrap();
            cluster.settled().await;
        }
        load.end();
    };
    futures::join!(load.run(&clients, &agents), roll);
    load.check(&cluster).await;
}
