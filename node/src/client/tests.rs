use super::*;
use crate::failure::{Exit, Failure};
use crate::identity::{self, Identity};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

/// What a server received: the request's lines, and its body.
type Received = (Vec<String>, String);

/// A server on a free port that answers one connection after the other with the given bytes.
fn serve(answers: Vec<String>) -> (String, mpsc::Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_ascii_lowercase());
            }
            let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = sender.send((lines, String::from_utf8(body).unwrap()));
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, receiver)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn client(url: &str) -> Client {
    let credentials = Credentials {
        url: url.to_owned(),
        ws_url: String::new(),
        ca: String::new(),
        node: None,
        token: "the-token".to_owned(),
    };
    Client::new(&credentials).unwrap()
}

#[tokio::test]
async fn a_request_carries_token_and_key() {
    let (url, received) = serve(vec![answer("202 Accepted", r#"{"task_id":"t"}"#)]);
    let body = json!({"input": "hello"});
    let call = Call::new(Method::POST, "/api/v1/tasks").body(&body).idempotency_key("k1");
    let value = client(&url).send(call).await.unwrap();
    assert_eq!(value["task_id"], "t");
    let (lines, sent) = received.recv().unwrap();
    assert_eq!(lines[0], "post /api/v1/tasks http/1.1");
    assert!(lines.contains(&"authorization: bearer the-token".to_owned()));
    assert!(lines.contains(&"idempotency-key: k1".to_owned()));
    assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), body);
}

#[tokio::test]
async fn problems_become_failures_with_their_exit_code() {
    let problem = r#"{"code":"OCTO-1102","detail":"not yours","status":403}"#;
    let (url, _received) = serve(vec![answer("403 Forbidden", problem), answer("404 Not Found", "{}")]);
    let client = client(&url);
    let failure = Failure::from(client.get("/x").await.unwrap_err());
    assert_eq!((failure.exit, failure.code.as_deref()), (Exit::Denied, Some("OCTO-1102")));
    assert_eq!(Failure::from(client.get("/x").await.unwrap_err()).exit, Exit::Failed);
}

#[tokio::test]
async fn nobody_there_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url).get("/health").await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { refused: true, .. }), "{error:?}");
    let failure = Failure::from(error);
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.hint.unwrap().contains("octopussy start"));
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_with_the_same_key() {
    let (url, received) = serve(vec![String::new(), answer("202 Accepted", r#"{"task_id":"t"}"#)]);
    let client = client(&url);
    let value = with_retries(Duration::from_secs(10), || async {
        client.send(Call::new(Method::POST, "/api/v1/tasks").idempotency_key("k2")).await
    })
    .await
    .unwrap();
    assert_eq!(value["task_id"], "t");
    for _ in 0..2 {
        assert!(received.recv().unwrap().0.contains(&"idempotency-key: k2".to_owned()));
    }
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let (url, received) = serve(vec![answer("422 Unprocessable", "{}"), answer("200 OK", "{}")]);
    let client = client(&url);
    let result = with_retries(Duration::from_secs(10), || client.get("/x")).await;
    assert!(matches!(result, Err(ClientError::Problem(_))));
    assert!(received.recv().is_ok());
    assert!(received.try_recv().is_err());
}

#[tokio::test]
async fn events_are_read_as_they_come() {
    let stream =
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n: hi\n\nid: 1-1\nevent: token\ndata: {\"text\":\"a\"}\n\n";
    let (url, received) = serve(vec![stream.to_owned()]);
    let mut events = client(&url).events("/e", Some("1-0")).await.unwrap();
    let event = events.next().await.unwrap().unwrap();
    assert_eq!((event.event.as_str(), event.id.as_deref()), ("token", Some("1-1")));
    assert_eq!(events.next().await.unwrap(), None);
    assert!(received.recv().unwrap().0.contains(&"last-event-id: 1-0".to_owned()));
}

/// A server with the certificate of `identity`, and what the first bytes of a request to it are, when there are any.
fn tls_server(identity: &Identity) -> (String, std::thread::JoinHandle<Option<[u8; 4]>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let config = identity.server_config.clone();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(config).unwrap();
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        let mut start = [0; 4];
        tls.read_exact(&mut start).ok()?;
        let _ = tls.write_all(answer("200 OK", r#"{"status":"ok"}"#).as_bytes());
        tls.conn.send_close_notify();
        let _ = tls.flush();
        Some(start)
    });
    (url, server)
}

/// The authority has signed for others, too, and for any name: the token is for one node alone.
#[tokio::test]
async fn the_token_is_sent_to_the_node_that_is_meant_and_to_nobody_else() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let identity = identity::load_or_create(home.path(), identity::AuthorityKey::Held, &[]).unwrap();
    let stranger = identity::load_or_create(other.path(), identity::AuthorityKey::Held, &[]).unwrap();
    let (id, another) = (identity.node_id.to_string(), stranger.node_id.to_string());
    let cases = [
        (identity.ca_pem.clone(), Some(id.clone()), true),
        (identity.ca_pem.clone(), None, true),
        (identity.ca_pem.clone(), Some(another), false),
        (stranger.ca_pem.clone(), Some(id), false),
        (stranger.ca_pem, None, false),
    ];
    for (number, (ca, node, trusted)) in cases.into_iter().enumerate() {
        let (url, server) = tls_server(&identity);
        let credentials = Credentials { url, ws_url: String::new(), ca, node, token: "t".to_owned() };
        let result = Client::new(&credentials).unwrap().get("/health").await;
        match (&result, trusted) {
            (Err(ClientError::WrongCertificate { .. }), false) => {}
            (Ok(value), true) => assert_eq!(value["status"], "ok"),
            _ => panic!("case {number}: {result:?}"),
        }
        assert_eq!(server.join().unwrap().is_some(), trusted, "case {number}: something was sent");
    }
}

/// A client of several nodes, the first of which is the home's.
fn client_of(urls: &[&str]) -> Client {
    let mut client = client(urls[0]);
    client.nodes = Arc::new(nodes::Nodes::fixed(urls));
    client
}

fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

const NOT_READY: &str = r#"{"code":"OCTO-1502","detail":"the leader of the shard was lost","status":503}"#;

#[tokio::test]
async fn another_node_is_asked_and_stays_the_one_that_is_asked() {
    let (second, received) = serve(vec![answer("200 OK", "{}"), answer("200 OK", "{}")]);
    let client = client_of(&[&nobody(), &second]);
    // Nothing can have arrived where nobody listens: this is tried elsewhere whatever it is.
    client.send(Call::new(Method::POST, "/api/v1/dlq/x/replay")).await.unwrap();
    assert_eq!(client.url(), second);
    client.get("/x").await.unwrap();
    assert_eq!(received.iter().take(2).count(), 2);
}

#[tokio::test]
async fn a_submission_goes_to_another_node_with_the_same_key_when_the_first_breaks_off() {
    for first in [String::new(), answer("503 Service Unavailable", NOT_READY)] {
        let (first, at_first) = serve(vec![first]);
        let (second, at_second) = serve(vec![answer("202 Accepted", r#"{"task_id":"t"}"#)]);
        let client = client_of(&[&first, &second]);
        let value = client.send(Call::new(Method::POST, "/api/v1/tasks").idempotency_key("k3")).await.unwrap();
        assert_eq!(value["task_id"], "t");
        for received in [at_first, at_second] {
            assert!(received.recv().unwrap().0.contains(&"idempotency-key: k3".to_owned()));
        }
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_not_repeated_at_another_node() {
    let (first, _at_first) =
        serve(vec![String::new(), answer("503 Service Unavailable", NOT_READY), answer("404 X", "{}")]);
    let (second, at_second) = serve(vec![answer("200 OK", "{}")]);
    let client = client_of(&[&first, &second]);
    for _ in 0..2 {
        client.send(Call::new(Method::POST, "/api/v1/dlq/x/replay")).await.unwrap_err();
    }
    assert!(matches!(client.get("/x").await, Err(ClientError::Problem(_))), "a plain refusal is the cluster's answer");
    assert!(at_second.try_recv().is_err());
}

#[tokio::test]
async fn the_first_nodes_error_is_told_when_no_node_answers() {
    let (first, _received) = serve(vec![answer("503 Service Unavailable", NOT_READY)]);
    let error = client_of(&[&first, &nobody()]).get("/x").await.unwrap_err();
    assert!(matches!(&error, ClientError::Problem(problem) if problem.status == 503), "{error:?}");
}

#[tokio::test]
async fn a_stream_goes_on_at_another_node_after_the_last_event() {
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let (first, _received) = serve(vec![format!("{head}id: 1-7\nevent: token\ndata: {{}}\n\n")]);
    let (second, at_second) = serve(vec![format!("{head}id: 1-8\nevent: token\ndata: {{}}\n\n")]);
    let client = client_of(&[&first, &second]);
    let mut events = client.events("/e", None).await.unwrap();
    let last = events.next().await.unwrap().unwrap().id;
    assert_eq!(events.next().await.unwrap(), None, "the first node is gone");
    drop(events);
    // The listener is closed with the server's last answer.
    let again = with_retries(Duration::from_secs(10), || client.events("/e", last.as_deref())).await;
    assert_eq!(again.unwrap().next().await.unwrap().unwrap().id.as_deref(), Some("1-8"));
    assert!(at_second.recv().unwrap().0.contains(&"last-event-id: 1-7".to_owned()));
}

#[test]
fn no_name_can_change_a_path() {
    assert_eq!(segment("a/b?c#d é"), "a%2Fb%3Fc%23d%20%C3%A9");
    assert_eq!(segment("name-1_x.y~"), "name-1_x.y~");
}
