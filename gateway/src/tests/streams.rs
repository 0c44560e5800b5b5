//! Server-sent events: nothing is lost between snapshot and news, and a stop ends them properly.

use super::stand_in::news;
use super::{Rig, rig, soon};
use futures::StreamExt;
use octopussy_core::ids::Epoch;
use octopussy_core::ports::{EventId, EventKind, Topic};
use octopussy_core::task::TaskState;
use serde_json::Value;
use std::time::Duration;

/// An open event stream.
struct Events {
    body: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

/// One event: id, name, data.
type Seen = (Option<String>, String, Value);

impl Events {
    async fn open(rig: &Rig, path: &str, after: Option<&str>) -> Self {
        let mut request = rig.get(path);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.bytes_stream().boxed(), text: String::new() }
    }

    async fn next(&mut self) -> Option<Seen> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
                };
                let seen = field("event").map(|event| {
                    (field("id"), event, serde_json::from_str(&field("data").unwrap_or_default()).unwrap())
                });
                self.text = rest.to_owned();
                if seen.is_some() {
                    return seen;
                }
                continue;
            }
            let chunk = soon("an event", self.body.next()).await?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test]
async fn a_task_is_followed_from_its_snapshot_to_its_end() {
    let rig = rig().await;
    let task = rig.node.accept(None);
    let mut events = Events::open(&rig, &format!("/api/v1/tasks/{}/events", task.id), Some("1-41")).await;
    let sender = rig.node.watcher(0).await;
    assert_eq!(rig.node.watched(0), (Topic::Task(task.id), Some(EventId { epoch: Epoch(1), sequence: 41 })));
    let (id, event, data) = events.next().await.unwrap();
    assert_eq!((id, event.as_str(), data["state"].as_str()), (None, "state", Some("ACCEPTED")));
    sender.send(news(&task, 42, EventKind::Task(TaskState::Running))).unwrap();
    sender.send(news(&task, 43, EventKind::Token { step: 0, text: "wr\nit".into() })).unwrap();
    let (id, event, data) = events.next().await.unwrap();
    assert_eq!((id.as_deref(), event.as_str(), data["state"].as_str()), (Some("1-42"), "state", Some("RUNNING")));
    let (id, event, data) = events.next().await.unwrap();
    assert_eq!((id.as_deref(), event.as_str(), data["text"].as_str()), (Some("1-43"), "token", Some("wr\nit")));
    let ended = rig.node.succeed(task.id, "written");
    sender.send(news(&ended, 44, EventKind::Step(ended.steps[0].clone()))).unwrap();
    sender.send(news(&ended, 45, EventKind::Ended(ended.clone()))).unwrap();
    assert_eq!(events.next().await.unwrap().1, "step");
    let (id, event, data) = events.next().await.unwrap();
    assert_eq!((id.as_deref(), event.as_str(), data["result"].as_str()), (Some("1-45"), "ended", Some("written")));
    assert!(events.next().await.is_none(), "the stream ends with its task");
}

#[tokio::test]
async fn after_lost_events_comes_a_fresh_snapshot() {
    let rig = rig().await;
    let task = rig.node.accept(None);
    let mut events = Events::open(&rig, &format!("/api/v1/tasks/{}/events", task.id), None).await;
    assert_eq!(events.next().await.unwrap().1, "state");
    let sender = rig.node.watcher(0).await;
    rig.node.succeed(task.id, "written");
    // The end itself is among what was lost.
    sender.send(news(&task, 99, EventKind::Gap)).unwrap();
    assert_eq!(events.next().await.unwrap().1, "gap");
    let (_, event, data) = events.next().await.unwrap();
    assert_eq!((event.as_str(), data["state"].as_str()), ("state", Some("SUCCEEDED")));
    assert_eq!(events.next().await.unwrap().1, "ended");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_bad_last_event_id_and_an_unknown_task_are_refused() {
    let rig = rig().await;
    let task = rig.node.accept(None);
    let path = format!("/api/v1/tasks/{}/events", task.id);
    assert_eq!(rig.json(rig.get(&path).header("last-event-id", "yesterday")).await.0, 400);
    let (status, _) = rig.json(rig.get("/api/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057/events")).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_stop_ends_open_streams_and_waiting_requests() {
    let mut rig = rig().await;
    let task = rig.node.accept(None);
    let mut events = Events::open(&rig, &format!("/api/v1/tasks/{}/events", task.id), None).await;
    assert_eq!(events.next().await.unwrap().1, "state");
    let waiting = tokio::spawn(rig.get(&format!("/api/v1/tasks/{}?wait=60s", task.id)).send());
    let started = std::time::Instant::now();
    let stopping = rig.gateway.stop(Duration::from_secs(15));
    let reading = async {
        let last = events.next().await.unwrap();
        assert_eq!(last.1, "stopping");
        assert!(events.next().await.is_none());
    };
    let (stopped, ()) = soon("the stop", async { tokio::join!(stopping, reading) }).await;
    stopped.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "the stop waited for its deadline");
    // It was either in time, and then answered, or came to a closed door.
    if let Ok(response) = soon("the waiting request", waiting).await.unwrap() {
        assert!(response.status() == 200, "{}", response.status());
    }
    assert!(rig.http.get(rig.url("/health")).send().await.is_err(), "nobody listens any more");
}
