//! A model server on loopback that speaks the chat-completions protocol and says what the test wants it to say.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Holds answers back until it is opened, for good.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets every answer through from now on.
    pub fn open(&self) {
        self.0.close();
    }

    /// Returns once the gate is open.
    async fn passed(&self) {
        // Nobody ever adds a permit: waiting ends with the closing of the semaphore, which is an error of its kind.
        let _ = self.0.acquire().await;
    }
}

/// What the stub does with a call.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers with this text.
    Text(String),
    /// Answers with this text once the gate is open.
    Behind(Gate, String),
    /// Never answers; the connection stays open.
    Hang,
    /// Refuses with this status.
    Status(u16),
}

/// A call that has reached the stub.
#[derive(Debug, Clone)]
pub struct RecordedCall {
    /// The request's headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// The request's body.
    pub body: Value,
}

impl RecordedCall {
    /// The text of the last user turn.
    #[must_use]
    pub fn last_turn(&self) -> String {
        let turn = self.body["messages"].as_array().and_then(|turns| turns.last()).cloned().unwrap_or_default();
        turn["content"].as_str().map_or_else(|| turn["content"].to_string(), str::to_owned)
    }
}

type Script = dyn Fn(&RecordedCall) -> Reply + Send + Sync;

struct Shared {
    script: Option<Box<Script>>,
    calls: AtomicU64,
    recorded: Mutex<Vec<RecordedCall>>,
}

/// A running stub; dropping it closes its port and every connection.
pub struct ModelStub {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl ModelStub {
    /// A stub that answers `hello` to everything at once, records nothing and costs as little as it can: for measuring.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn instant() -> io::Result<Self> {
        Self::start(None).await
    }

    /// A stub that records every call and does what `script` says.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn scripted(script: impl Fn(&RecordedCall) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        Self::start(Some(Box::new(script))).await
    }

    async fn start(script: Option<Box<Script>>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { script, calls: AtomicU64::new(0), recorded: Mutex::default() });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, server })
    }

    /// The base URL, as a provider's configuration wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How many calls have come.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// The calls so far, oldest first; empty for an instant stub.
    #[must_use]
    pub fn recorded(&self) -> Vec<RecordedCall> {
        self.shared.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ModelStub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        // A client that goes away mid-answer is its own affair.
                        let _ = connection(stream, &shared).await;
                    });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        let Some(request) = read_request(&mut stream, &mut buffer).await? else { return Ok(()) };
        if request.method == "GET" {
            let models = json!({"object": "list", "data": [{"id": "stub", "object": "model", "owned_by": "tests"}]});
            stream.write_all(&response(200, "application/json", models.to_string().as_bytes())).await?;
            continue;
        }
        shared.calls.fetch_add(1, Ordering::Relaxed);
        let Some(script) = &shared.script else {
            let streamed = contains(&request.body, b"\"stream\":true") || contains(&request.body, b"\"stream\": true");
            stream.write_all(if streamed { instant_stream() } else { instant_whole() }).await?;
            continue;
        };
        let call = RecordedCall {
            headers: request.headers,
            body: serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        };
        shared.recorded.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        let text = match script(&call) {
            Reply::Text(text) => text,
            Reply::Behind(gate, text) => {
                gate.passed().await;
                text
            }
            Reply::Hang => std::future::pending().await,
            Reply::Status(status) => {
                let error = json!({"error": {"message": "the stub refuses", "type": "stub", "code": status}});
                stream.write_all(&response(status, "application/json", error.to_string().as_bytes())).await?;
                continue;
            }
        };
        let answer = if call.body["stream"] == true {
            response(200, "text/event-stream", streamed(&text).as_bytes())
        } else {
            response(200, "application/json", whole(&text).as_bytes())
        };
        stream.write_all(&answer).await?;
    }
}

struct Request {
    method: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// The next request; `None` when the client has closed. What follows it stays in `buffer`.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let method = lines.next().and_then(|line| line.split(' ').next()).unwrap_or_default().to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    while buffer.len() < head_end + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = buffer[head_end..head_end + length].to_vec();
    buffer.drain(..head_end + length);
    Ok(Some(Request { method, headers, body }))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn response(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status} Stub\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn usage() -> Value {
    json!({"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11})
}

fn whole(text: &str) -> String {
    json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "stub", "usage": usage(),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    })
    .to_string()
}

/// The text word by word, then the usage, as `stream_options.include_usage` asks for it.
fn streamed(text: &str) -> String {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "stub",
            "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let mut out =
        chunk(json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]), Value::Null);
    for word in text.split_inclusive(' ') {
        out += &chunk(json!([{"index": 0, "delta": {"content": word}, "finish_reason": null}]), Value::Null);
    }
    out += &chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), Value::Null);
    out += &chunk(json!([]), usage());
    out + "data: [DONE]\n\n"
}

fn instant_whole() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| response(200, "application/json", whole("hello").as_bytes()))
}

fn instant_stream() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| response(200, "text/event-stream", streamed("hello").as_bytes()))
}
