//! Server-sent events: the decoder, which is pure, and the stream around it.

use super::{ClientError, unreachable};
use std::collections::VecDeque;
use std::time::Duration;

/// The largest event that is read: a task with its whole journal fits many times.
const MAX_EVENT: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ServerEvent {
    /// Its position, to go on from after a break.
    pub(crate) id: Option<String>,
    /// Its kind.
    pub(crate) event: String,
    /// Its data, usually JSON.
    pub(crate) data: String,
}

/// Makes events from bytes, however they are cut.
#[derive(Debug, Default)]
struct Decoder {
    line: Vec<u8>,
    skip_newline: bool,
    current: ServerEvent,
    has_data: bool,
}

impl Decoder {
    /// Takes bytes; gives the events they complete. `Err` when an event outgrows the bound.
    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<ServerEvent>, ()> {
        let mut events = Vec::new();
        for &byte in bytes {
            if std::mem::take(&mut self.skip_newline) && byte == b'\n' {
                continue;
            }
            if byte == b'\n' || byte == b'\r' {
                self.skip_newline = byte == b'\r';
                let line = std::mem::take(&mut self.line);
                events.extend(self.end_line(&String::from_utf8_lossy(&line)));
                continue;
            }
            self.line.push(byte);
            if self.line.len() + self.current.data.len() > MAX_EVENT {
                return Err(());
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &str) -> Option<ServerEvent> {
        if line.is_empty() {
            let complete = std::mem::take(&mut self.has_data);
            let mut event = std::mem::take(&mut self.current);
            if event.data.ends_with('\n') {
                event.data.pop();
            }
            return complete.then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.current.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.current.event),
            "data" => {
                self.has_data = true;
                self.current.data.push_str(value);
                self.current.data.push('\n');
            }
            _ => {}
        }
        None
    }
}

/// The events of an open answer.
#[derive(Debug)]
pub(crate) struct EventStream {
    answer: reqwest::Response,
    decoder: Decoder,
    ready: VecDeque<ServerEvent>,
    url: String,
    silence: Duration,
}

impl EventStream {
    /// The events of `answer`, which may be silent for at most `silence`.
    pub(super) fn new(answer: reqwest::Response, url: String, silence: Duration) -> Self {
        Self { answer, decoder: Decoder::default(), ready: VecDeque::new(), url, silence }
    }

    /// The next event; `None` when the node has closed the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<ServerEvent>, ClientError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let chunk = match tokio::time::timeout(self.silence, self.answer.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(unreachable(&self.url, &error)),
                Err(_) => {
                    let reason = format!("its events have been silent for {} s", self.silence.as_secs());
                    return Err(ClientError::Unreachable { url: self.url.clone(), reason, refused: false });
                }
            };
            let events = self
                .decoder
                .feed(&chunk)
                .map_err(|()| ClientError::BadAnswer(format!("an event is larger than {MAX_EVENT} bytes")))?;
            self.ready.extend(events);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hello\n\nid: 3-1\nevent: token\ndata: {\"text\":\"ü\"}\n\nevent: two\r\ndata: a\r\ndata:b\r\n\r\nid: 9\n\n";

    fn expected() -> Vec<ServerEvent> {
        vec![
            ServerEvent { id: Some("3-1".to_owned()), event: "token".to_owned(), data: "{\"text\":\"ü\"}".to_owned() },
            ServerEvent { id: None, event: "two".to_owned(), data: "a\nb".to_owned() },
        ]
    }

    #[test]
    fn events_come_out_whole_wherever_the_bytes_are_cut() {
        for size in 1..STREAM.len() {
            let mut decoder = Decoder::default();
            let events: Vec<_> =
                STREAM.as_bytes().chunks(size).flat_map(|chunk| decoder.feed(chunk).unwrap()).collect();
            assert_eq!(events, expected(), "cut every {size} bytes");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut decoder = Decoder::default();
        assert!(decoder.feed(&vec![b'x'; MAX_EVENT + 1]).is_err());
    }
}
