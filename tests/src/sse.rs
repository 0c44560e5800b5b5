//! Server-sent events, read one by one.

use crate::patience::PATIENCE;
use anyhow::{Context, Result};
use serde_json::Value;

/// One event.
#[derive(Debug, Clone)]
pub struct ServerEvent {
    /// Its position in the stream; empty when it has none.
    pub id: String,
    /// Its kind.
    pub event: String,
    /// What it says; a JSON string when it is not JSON.
    pub data: Value,
}

/// Reads the events of one response.
#[derive(Debug)]
pub struct SseReader {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl SseReader {
    /// Reads from `response`.
    #[must_use]
    pub const fn new(response: reqwest::Response) -> Self {
        Self { response, buffer: Vec::new() }
    }

    /// The next event; `None` when the stream has ended. Comments are passed over.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for [`PATIENCE`].
    pub async fn next(&mut self) -> Result<Option<ServerEvent>> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&block)) {
                    return Ok(Some(event));
                }
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.context("no event came in time")??;
            match chunk {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// Every event up to the end of the stream.
    ///
    /// # Errors
    /// As [`SseReader::next`].
    pub async fn rest(&mut self) -> Result<Vec<ServerEvent>> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }
}

fn parse(block: &str) -> Option<ServerEvent> {
    let (mut id, mut event, mut data) = (String::new(), String::new(), None::<String>);
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut id),
            "event" => value.clone_into(&mut event),
            "data" => match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            },
            _ => {}
        }
    }
    let data = data?;
    let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
    Some(ServerEvent { id, event, data })
}
