//! Any node serves.

use octopussy_tests::{AgentDirectory, ClusterRunner, Gate, ModelStub, NodeOptions, Reply, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_made_at_one_node_are_asked_at_another_and_answer_at_a_third() {
    let stub = ModelStub::scripted(|call| Reply::Text(format!("Re: {}", call.last_turn().len()))).await.unwrap();
    let cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    let names: Vec<String> = (0..6).map(|index| format!("agent-{index}")).collect();
    let mut hosts = std::collections::BTreeSet::new();
    for name in &names {
        cluster.nodes[0].create_agent(&AgentDirectory::on_stub(name, "")).await.unwrap();
        hosts.insert(cluster.host_of(1, name).await.unwrap());
    }
    assert!(hosts.len() > 1, "six agents of sixteen shards all landed on one of three nodes: {hosts:?}");
    for (index, name) in names.iter().enumerate() {
        let task = cluster.submit(1, name, "What is asked here?", &format!("any-{index}")).await;
        let seen: Vec<_> = futures::future::join_all((0..3).map(|node| cluster.ended(node, &task))).await;
        assert_eq!(seen[0]["state"], "SUCCEEDED", "{:#}", seen[0]);
        assert_eq!(seen[0], seen[1], "the nodes tell different things");
        assert_eq!(seen[0], seen[2], "the nodes tell different things");
    }
    for node in &cluster.nodes {
        let agents = node.rest().unwrap().get("/api/v1/agents").await.unwrap().expect_status(200);
        let listed = agents["items"].as_array().map_or(0, Vec::len);
        assert_eq!(listed, names.len(), "a node does not list every agent: {agents:#}");
        let tasks = node.rest().unwrap().get("/api/v1/tasks").await.unwrap().expect_status(200);
        assert_eq!(tasks["items"].as_array().map_or(0, Vec::len), names.len(), "{tasks:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_at_one_node_sees_the_tokens_of_an_agent_on_another() {
    let gate = Gate::default();
    let held = gate.clone();
    let stub = ModelStub::scripted(move |_| Reply::Behind(held.clone(), "one two three".to_owned())).await.unwrap();
    let cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("speaker", "")).await.unwrap();
    let host = cluster.host_of(0, "speaker").await.unwrap();
    let elsewhere = (host + 1) % 3;
    let task = cluster.submit(elsewhere, "speaker", "Speak.", "watch").await;
    let rest = cluster.nodes[elsewhere].rest().unwrap();
    let mut events = rest.events(&format!("/api/v1/tasks/{task}/events"), None).await.unwrap();
    eventually("the call is in flight", || async { (stub.calls() >= 1).then_some(()) }).await;
    gate.open();
    let events = events.rest().await.unwrap();
    let tokens: String =
        events.iter().filter(|event| event.event == "token").filter_map(|event| event.data["text"].as_str()).collect();
    assert_eq!(tokens, "one two three", "{events:#?}");
    assert_eq!(events.last().map(|event| event.event.as_str()), Some("ended"), "{events:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_paused_and_resumed_through_a_node_that_does_not_host_it() {
    let stub = ModelStub::scripted(|_| Reply::Text("Yes.".to_owned())).await.unwrap();
    let cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("sleeper", "")).await.unwrap();
    let host = cluster.host_of(0, "sleeper").await.unwrap();
    let elsewhere = cluster.nodes[(host + 1) % 3].rest().unwrap();
    let paused = elsewhere.post("/api/v1/agents/sleeper/pause", &serde_json::json!({})).await.unwrap();
    assert!(paused.status < 300, "{paused:?}");
    let task = cluster.submit(host, "sleeper", "Are you there?", "pause").await;
    let waiting =
        cluster.nodes[host].rest().unwrap().get(&format!("/api/v1/tasks/{task}")).await.unwrap().expect_status(200);
    assert_eq!(waiting["state"], "ACCEPTED", "a paused agent works: {waiting:#}");
    let resumed = elsewhere.post("/api/v1/agents/sleeper/resume", &serde_json::json!({})).await.unwrap();
    assert!(resumed.status < 300, "{resumed:?}");
    assert_eq!(cluster.ended(host, &task).await["state"], "SUCCEEDED");
}
