//! Tokens as the model speaks, over server-sent events and over WebSocket, and taking a stream up again.

use octopussy_tests::{AgentDirectory, Gate, ModelStub, NodeOptions, NodeRunner, Reply, ServerEvent};
use serde_json::{Value, json};

const ANSWER: &str = "one two three four five six";

async fn gated_node() -> (NodeRunner, ModelStub, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let stub = ModelStub::scripted(move |_| Reply::Behind(held.clone(), ANSWER.to_owned())).await.unwrap();
    let node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("speaker", "")).await.unwrap();
    (node, stub, gate)
}

fn tokens(events: &[ServerEvent]) -> String {
    events.iter().filter(|event| event.event == "token").filter_map(|event| event.data["text"].as_str()).collect()
}

fn position(id: &str) -> (u64, u64) {
    let (epoch, sequence) = id.split_once('-').unwrap_or_else(|| panic!("'{id}' is not an event id"));
    (epoch.parse().unwrap(), sequence.parse().unwrap())
}

#[tokio::test]
async fn a_task_can_be_followed_and_taken_up_again_over_server_sent_events() {
    let (node, _stub, gate) = gated_node().await;
    let client = node.rest().unwrap();
    let task = node.submit("speaker", "count").await.unwrap();
    let path = format!("/api/v1/tasks/{task}/events");
    let mut stream = client.events(&path, None).await.unwrap();
    let first = stream.next().await.unwrap().expect("an event");
    assert_eq!(first.event, "state");
    assert_eq!(first.data["task_id"], task, "the first event is the task as it is: {:#}", first.data);
    gate.open();
    let events = stream.rest().await.unwrap();
    let last = events.last().expect("events follow");
    assert_eq!(last.event, "ended", "the stream ends with the task: {events:#?}");
    assert_eq!(last.data["result"], ANSWER, "{:#}", last.data);
    assert_eq!(tokens(&events), ANSWER, "{events:#?}");
    assert!(events.iter().any(|event| event.event == "step"), "no step was told: {events:#?}");
    let ids: Vec<_> = events.iter().map(|event| position(&event.id)).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "ids do not ascend: {ids:?}");

    let middle = &events[events.len() / 2];
    let resumed = client.events(&path, Some(&middle.id)).await.unwrap().rest().await.unwrap();
    assert_eq!(resumed.last().map(|event| event.event.as_str()), Some("ended"), "{resumed:#?}");
    let seen = position(&middle.id);
    for event in resumed.iter().filter(|event| event.event != "state" && !event.id.is_empty()) {
        assert!(position(&event.id) > seen, "an event came twice: {event:#?}");
    }
    let late = client.events(&path, None).await.unwrap().rest().await.unwrap();
    assert!(late.last().is_some_and(|event| event.event == "ended"), "a task that is over ends its stream: {late:#?}");
    let nonsense = client.request(reqwest::Method::GET, &path).header("last-event-id", "yesterday");
    client.send(nonsense).await.unwrap().expect_problem(400, "OCTO-1000");
}

#[tokio::test]
async fn a_task_can_be_submitted_followed_and_taken_up_again_over_websocket() {
    let (node, _stub, gate) = gated_node().await;
    let mut socket = node.ws().await.unwrap();
    let submit =
        json!({"op": "submit", "ref": "s1", "task": {"agent": "speaker", "input": "count", "idempotency_key": "k"}});
    socket.send(&submit).await.unwrap();
    let accepted = socket.until(|frame| frame["op"] == "accepted").await.unwrap();
    assert_eq!(accepted["ref"], "s1");
    let task = accepted["task"]["task_id"].as_str().expect("the task has an id").to_owned();
    socket.send(&json!({"op": "watch", "ref": "w1", "topic": "task", "id": task})).await.unwrap();
    socket.until(|frame| frame["op"] == "watching" && frame["ref"] == "w1").await.unwrap();
    gate.open();
    let mut events: Vec<Value> = Vec::new();
    while events.last().is_none_or(|event| event["event"] != "ended") {
        events.push(socket.until(|frame| frame["op"] == "event").await.unwrap());
    }
    let spoken: String =
        events.iter().filter(|e| e["event"] == "token").filter_map(|e| e["data"]["text"].as_str()).collect();
    assert_eq!(spoken, ANSWER, "{events:#?}");
    let first = events.first().and_then(|event| event["id"].as_str()).expect("events have ids").to_owned();

    let mut second = node.ws().await.unwrap();
    second.send(&json!({"op": "watch", "ref": "w2", "topic": "task", "id": task, "after": first})).await.unwrap();
    let mut resumed: Vec<Value> = Vec::new();
    while resumed.last().is_none_or(|event| event["event"] != "ended") {
        resumed.push(second.until(|frame| frame["op"] == "event").await.unwrap());
    }
    let mut positions = resumed.iter().filter_map(|event| Some(position(event["id"].as_str()?)));
    assert!(positions.all(|at| at > position(&first)), "an event came twice: {resumed:#?}");

    second.send(&json!({"op": "ping"})).await.unwrap();
    second.until(|frame| frame["op"] == "pong").await.unwrap();
    second.send(&json!({"op": "dance", "ref": "d"})).await.unwrap();
    let error = second.until(|frame| frame["op"] == "error").await.unwrap();
    assert_eq!(error["problem"]["code"], "OCTO-1000", "{error:#}");
    second.send(&json!({"op": "submit", "ref": "again", "task": {"agent": "speaker", "input": "count", "idempotency_key": "k"}})).await.unwrap();
    let again = second.until(|frame| frame["op"] == "accepted").await.unwrap();
    assert_eq!(again["task"]["task_id"], json!(task), "the same key is the same task on every interface");
}

#[tokio::test]
async fn an_agent_can_be_controlled_over_websocket() {
    let (node, _stub, gate) = gated_node().await;
    let mut socket = node.ws().await.unwrap();
    let agent = node.rest().unwrap().get("/api/v1/agents/speaker").await.unwrap().expect_status(200);
    let id = &agent["agent_id"];
    socket.send(&json!({"op": "control", "ref": "c1", "agent": id, "command": "pause"})).await.unwrap();
    socket.until(|frame| frame["op"] == "done" && frame["ref"] == "c1").await.unwrap();
    let task = node.submit("speaker", "count").await.unwrap();
    gate.open();
    socket.send(&json!({"op": "control", "ref": "c2", "agent": id, "command": "resume"})).await.unwrap();
    socket.until(|frame| frame["op"] == "done" && frame["ref"] == "c2").await.unwrap();
    assert_eq!(node.ended(&task).await.unwrap()["result"], ANSWER);
}
