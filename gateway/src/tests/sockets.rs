//! The WebSocket.

use super::stand_in::{AGENT, news};
use super::{Rig, rig, rig_with, soon};
use crate::Limits;
use futures::{SinkExt, StreamExt};
use octopussy_core::ports::{ControlCommand, EventKind};
use octopussy_core::task::TaskState;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, Response};
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

struct Socket(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

fn request(rig: &Rig, token: Option<&str>) -> Request<()> {
    let mut request = format!("wss://localhost:{}/ws", rig.at.ws.port()).into_client_request().unwrap();
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers_mut().insert("authorization", value);
    }
    request
}

async fn connect(rig: &Rig, request: Request<()>) -> Result<(Socket, Response<Option<Vec<u8>>>), Error> {
    let connector = Connector::Rustls(rig.tls.clone());
    let connecting = connect_async_tls_with_config(request, None, false, Some(connector));
    soon("the connection", connecting).await.map(|(socket, response)| (Socket(socket), response))
}

impl Socket {
    async fn open(rig: &Rig) -> Self {
        connect(rig, request(rig, Some("admin"))).await.unwrap().0
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message; `Err` with the code of a close frame.
    async fn hear(&mut self) -> Result<Value, u16> {
        loop {
            match soon("a message", self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(0, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                other => panic!("the connection ended without a close frame: {other:?}"),
            }
        }
    }

    async fn closed_with(&mut self) -> u16 {
        loop {
            if let Err(code) = self.hear().await {
                return code;
            }
        }
    }
}

#[tokio::test]
async fn only_who_has_a_token_gets_in() {
    let rig = rig().await;
    for token in [None, Some("nonsense"), Some("expired"), Some("revoked")] {
        let Err(Error::Http(response)) = connect(&rig, request(&rig, token)).await else { panic!("{token:?} got in") };
        assert_eq!(response.status(), 401);
    }
    let mut by_protocol = request(&rig, None);
    let offered = HeaderValue::from_static("octopussy.v1, bearer.admin");
    by_protocol.headers_mut().insert("sec-websocket-protocol", offered);
    let (mut socket, response) = connect(&rig, by_protocol).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "octopussy.v1", "the token is not repeated");
    socket.say(json!({"op": "ping"})).await;
    assert_eq!(socket.hear().await.unwrap()["op"], "pong");
}

#[tokio::test]
async fn tasks_are_submitted_watched_and_controlled() {
    let rig = rig().await;
    let mut socket = Socket::open(&rig).await;
    let task = json!({"agent": AGENT, "input": "write", "idempotency_key": "k"});
    socket.say(json!({"op": "submit", "ref": "a", "task": task})).await;
    let accepted = socket.hear().await.unwrap();
    assert_eq!(
        (&accepted["op"], &accepted["ref"], &accepted["task"]["idempotency_key"]),
        (&json!("accepted"), &json!("a"), &json!("k"))
    );
    let id = rig.node.first_task().await;
    socket.say(json!({"op": "watch", "ref": "w", "topic": "task", "id": id.to_string(), "after": "3-4"})).await;
    let watching = socket.hear().await.unwrap();
    assert_eq!((&watching["op"], &watching["task"]["state"]), (&json!("watching"), &json!("ACCEPTED")));
    let sender = rig.node.watcher(0).await;
    assert_eq!(rig.node.watched(0).1.unwrap().to_string(), "3-4");
    let ended = rig.node.succeed(id, "written");
    sender.send(news(&ended, 7, EventKind::Token { step: 0, text: "written".into() })).unwrap();
    sender.send(news(&ended, 8, EventKind::Ended(ended.clone()))).unwrap();
    let token = socket.hear().await.unwrap();
    assert_eq!(
        (&token["event"], &token["id"], &token["data"]["text"]),
        (&json!("token"), &json!("1-7"), &json!("written"))
    );
    assert_eq!(token["task_id"], id.to_string());
    let ended = socket.hear().await.unwrap();
    assert_eq!((&ended["event"], &ended["data"]["result"]), (&json!("ended"), &json!("written")));

    socket.say(json!({"op": "control", "ref": "c", "agent": AGENT, "command": "cancel", "task": id.to_string()})).await;
    let done = socket.hear().await.unwrap();
    assert_eq!((&done["op"], &done["agent"]["name"]), (&json!("done"), &json!(AGENT)));
    assert_eq!(*rig.node.controls.lock(), [ControlCommand::Cancel { task: id }]);
}

#[tokio::test]
async fn nonsense_is_answered_and_costs_nothing_else() {
    let rig = rig().await;
    let mut socket = Socket::open(&rig).await;
    let cases = [
        (json!({"op": "dance", "ref": "x"}), json!("x"), "OCTO-1000"),
        (json!([1, 2]), Value::Null, "OCTO-1000"),
        (json!({"op": "submit", "ref": "s", "task": {"input": "x", "agent": "nobody"}}), json!("s"), "OCTO-1200"),
        (json!({"op": "watch", "ref": "w", "topic": "task"}), json!("w"), "OCTO-1000"),
        (json!({"op": "watch", "ref": "w", "topic": "agent", "id": "nobody"}), json!("w"), "OCTO-1200"),
        (json!({"op": "control", "ref": "c", "agent": AGENT, "command": "cancel"}), json!("c"), "OCTO-1000"),
    ];
    for (message, name, code) in cases {
        socket.say(message.clone()).await;
        let error = socket.hear().await.unwrap();
        assert_eq!((&error["op"], &error["ref"]), (&json!("error"), &name), "{message}");
        assert_eq!(error["problem"]["code"], code, "{message}");
    }
    for index in 0..65 {
        socket.say(json!({"op": "watch", "ref": format!("w{index}"), "topic": "all"})).await;
    }
    let mut refused = 0;
    for _ in 0..65 {
        let answer = socket.hear().await.unwrap();
        refused += usize::from(answer["problem"]["code"] == "OCTO-1503");
    }
    assert_eq!(refused, 1, "sixty-four watches and no more");
    socket.say(json!({"op": "submit", "ref": "big", "task": {"input": "x".repeat(Limits::WS_MESSAGE_BYTES)}})).await;
    assert_eq!(socket.closed_with().await, 1009);
}

/// How much news is more than the queue and the sockets' buffers hold together: 64 MiB.
const FLOOD: u64 = 4096;

/// Watches a task and floods the watch, without reading a thing.
async fn flooded(rig: &Rig) -> Socket {
    let mut socket = Socket::open(rig).await;
    let task = rig.node.accept(None);
    socket.say(json!({"op": "watch", "ref": "w", "topic": "task", "id": task.id.to_string()})).await;
    assert_eq!(socket.hear().await.unwrap()["op"], "watching");
    let sender = rig.node.watcher(0).await;
    let text: std::sync::Arc<str> = "x".repeat(16 * 1024).into();
    for sequence in 0..FLOOD {
        sender.send(news(&task, sequence, EventKind::Token { step: 0, text: text.clone() })).unwrap();
    }
    // What messaging says once its own bound is reached.
    sender.send(news(&task, FLOOD, EventKind::Gap)).unwrap();
    rig.node.succeed(task.id, "written");
    socket
}

#[tokio::test]
async fn a_slow_client_gets_everything_up_to_the_gap_and_then_the_whole_again() {
    let rig = rig_with(Limits { outbound_messages: 4, ..Limits::default() }).await;
    let mut socket = flooded(&rig).await;
    for sequence in 0..FLOOD {
        assert_eq!(socket.hear().await.unwrap()["id"], format!("1-{sequence}"));
    }
    assert_eq!(socket.hear().await.unwrap()["event"], "gap");
    let state = socket.hear().await.unwrap();
    assert_eq!((&state["event"], &state["data"]["result"]), (&json!("state"), &json!("written")));
    assert_eq!(socket.hear().await.unwrap()["event"], "ended");
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed_with_1013() {
    let rig = rig_with(Limits { outbound_messages: 4, stall_seconds: 1, ..Limits::default() }).await;
    let mut socket = flooded(&rig).await;
    soon("the server's decision", rig.gateway.sockets_idle()).await;
    let code = loop {
        match soon("the end", socket.0.next()).await {
            Some(Ok(Message::Close(frame))) => break frame.map(|frame| u16::from(frame.code)),
            Some(Ok(_)) => {}
            // The close frame could not be squeezed through before the connection was cut.
            Some(Err(_)) | None => break None,
        }
    };
    assert!(code.is_none_or(|code| code == 1013), "{code:?}");
}

#[tokio::test]
async fn a_socket_ends_with_its_token_and_with_the_node() {
    let mut rig = rig().await;
    let mut passing = connect(&rig, request(&rig, Some("passing"))).await.unwrap().0;
    assert_eq!(passing.closed_with().await, 4401, "its token was revoked");
    let mut brief = connect(&rig, request(&rig, Some("brief"))).await.unwrap().0;
    assert_eq!(brief.closed_with().await, 4401);
    let mut socket = Socket::open(&rig).await;
    let task = rig.node.accept(None);
    socket.say(json!({"op": "watch", "ref": "w", "topic": "task", "id": task.id.to_string()})).await;
    assert_eq!(socket.hear().await.unwrap()["op"], "watching");
    let sender = rig.node.watcher(0).await;
    sender.send(news(&task, 1, EventKind::Task(TaskState::Running))).unwrap();
    assert_eq!(socket.hear().await.unwrap()["event"], "state");
    let stopping = rig.gateway.stop(Duration::from_secs(15));
    let (stopped, code) = soon("the stop", async { tokio::join!(stopping, socket.closed_with()) }).await;
    stopped.unwrap();
    assert_eq!(code, 1001);
}
