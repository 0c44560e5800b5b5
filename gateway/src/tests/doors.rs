//! Who gets in, who has to go, and what is refused before it is read. Over plain connections, byte by byte.

use super::rest::parts;
use super::{PATIENCE, config, rig_with, soon};
use crate::config::TlsMode;
use crate::{Gateway, GatewayConfig, Limits};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

async fn plain(limits: Limits) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(parts(GatewayConfig { tls: TlsMode::Off, limits, ..config() })).await.unwrap();
    let at = gateway.addresses().rest;
    (gateway, at)
}

/// Sends `text` and reads until a whole head has come; empty when the connection was closed.
async fn ask(stream: &mut TcpStream, text: &str) -> String {
    let mut answer = Vec::new();
    if stream.write_all(text.as_bytes()).await.is_err() {
        return String::new();
    }
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        match soon("an answer", stream.read(&mut byte)).await {
            Ok(1) => answer.push(byte[0]),
            Ok(_) | Err(_) => return String::new(),
        }
    }
    String::from_utf8(answer).unwrap()
}

fn post(path: &str, token: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_and_one_that_asks_stays() {
    let (_gateway, at) = plain(Limits { header_seconds: 1, ..Limits::default() }).await;
    let mut asking = TcpStream::connect(at).await.unwrap();
    assert!(ask(&mut asking, HEALTH).await.starts_with("HTTP/1.1 200"));
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    for (number, stream) in silent.iter_mut().enumerate() {
        let read = soon("the silent connection's end", stream.read(&mut [0; 16])).await;
        assert!(matches!(read, Ok(0) | Err(_)), "connection {number} heard {read:?}");
    }
    let mut body = [0; 4096];
    let _rest_of_the_first_answer = soon("the first answer's body", asking.read(&mut body)).await.unwrap();
    assert!(ask(&mut asking, HEALTH).await.starts_with("HTTP/1.1 200"), "it asked before and may ask again");
}

#[tokio::test]
async fn silent_connections_cannot_keep_others_out() {
    let (_gateway, at) = plain(Limits { connections: 8, header_seconds: 600, ..Limits::default() }).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut asking = TcpStream::connect(at).await.unwrap();
        if ask(&mut asking, HEALTH).await.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(Instant::now() < deadline, "eight silent connections take the port for themselves");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_may_not_ask_is_refused_before_a_byte_of_the_body_is_sent() {
    let (_gateway, at) = plain(Limits::default()).await;
    for (path, token, status) in [
        ("/api/v1/agents", "viewer", "403"),
        ("/api/v1/tasks", "viewer", "403"),
        ("/v1/chat/completions", "viewer", "403"),
        ("/api/v1/secrets-rotations", "viewer", "403"),
        ("/api/v1/cluster/tokens", "viewer", "403"),
        ("/api/v1/agents/validate", "nonsense", "401"),
        ("/api/v1/tasks", "expired", "401"),
    ] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        // The body is announced and never comes.
        let head = ask(&mut stream, &post(path, token, 900_000)).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{path} as {token}: {head}");
    }
}

#[tokio::test]
async fn a_small_body_that_was_refused_unread_does_not_break_the_connection() {
    let (_gateway, at) = plain(Limits::default()).await;
    for path in ["/v1/chat/completions", "/nowhere", "/health"] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let head = ask(&mut stream, &post(path, "nonsense", 10)).await;
        assert!(head.starts_with("HTTP/1.1 4"), "{path}: {head}");
        let length: usize = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap();
        soon("the problem", stream.read_exact(&mut vec![0; length])).await.unwrap();
        stream.write_all(b"0123456789").await.unwrap();
        assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"), "{path}");
    }
}

#[tokio::test]
async fn the_bodies_in_progress_have_a_bound_together() {
    let rig = rig_with(Limits { body_mebibytes: 1, ..Limits::default() }).await;
    let body = |bytes: usize| json!({"agent": super::stand_in::AGENT, "input": "x".repeat(bytes)});
    let (status, problem) = rig.json(rig.post("/api/v1/tasks").json(&body(2 * 1024 * 1024))).await;
    assert_eq!((status, &problem["code"]), (429, &json!("OCTO-1503")), "{problem}");
    for _ in 0..8 {
        let (status, problem) = rig.json(rig.post("/api/v1/tasks").json(&body(600 * 1024))).await;
        assert_eq!(status, 202, "what one request had is given back: {problem}");
    }
}

#[tokio::test]
async fn half_a_character_is_named_and_nothing_is_stored() {
    let rig = rig_with(Limits::default()).await;
    let request = rig.post("/api/v1/tasks").header("content-type", "application/json");
    let (status, problem) = rig.json(request.body(r#"{"input":"abc \ud83d"}"#)).await;
    assert_eq!(status, 400);
    assert!(
        problem["detail"].as_str().unwrap().contains(r"half a character (\ud83d) at line 1 column 15"),
        "{problem}"
    );
    assert!(rig.node.submitted.lock().is_empty());
}

#[tokio::test]
async fn a_connection_between_two_requests_is_kept_for_a_while_only() {
    let (_gateway, at) = plain(Limits { keep_alive_seconds: 1, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(at).await.unwrap();
    assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
    let began = Instant::now();
    let mut rest = Vec::new();
    let closed = soon("the end of a quiet connection", stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok() || closed.is_err());
    assert!(began.elapsed() >= Duration::from_millis(500), "not at once");
}
