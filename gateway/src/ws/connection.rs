//! One client's connection: reads its messages, runs its requests side by side, forwards its news.

use super::outbox::Outbox;
use super::protocol::{self, ClientMessage, CommandName, TopicName};
use crate::config::Limits;
use crate::http::{Feed, ItemStream, LOOK_AT_TOKEN, agent_id, with_agent_name};
use crate::serve::Context;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use octopussy_core::ports::{ControlCommand, EventId, Principal, Topic};
use octopussy_core::problem::{Code, Problem};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_stream::StreamMap;

/// Requests of one client in progress; further ones stay unread until one has ended.
const IN_PROGRESS: usize = 256;

/// Close codes: RFC 6455 and, from 4000 on, our own.
mod close {
    /// The node is stopping.
    pub(super) const GOING_AWAY: u16 = 1001;
    /// Binary messages are not understood.
    pub(super) const UNSUPPORTED: u16 = 1003;
    /// The message is too large.
    pub(super) const TOO_LARGE: u16 = 1009;
    /// The client does not read: it may come back.
    pub(super) const TRY_AGAIN: u16 = 1013;
    /// The token has expired, or was revoked.
    pub(super) const EXPIRED: u16 = 4401;
    /// Nothing was heard.
    pub(super) const IDLE: u16 = 4408;
}

/// What becomes of a request.
enum Outcome {
    /// An answer.
    Answer(Utf8Bytes),
    /// A watch, with its first message.
    Watch(String, Utf8Bytes, ItemStream),
    /// A watch that cannot be, with the error.
    NoWatch(String, Utf8Bytes),
}

/// Why the connection ends.
type Ending = (u16, &'static str);

/// One client's connection.
pub(super) struct Connection {
    context: Arc<Context>,
    principal: Principal,
    watches: StreamMap<String, ItemStream>,
    /// Since when the client leaves no room for more.
    full_since: Option<Instant>,
    running: FuturesUnordered<BoxFuture<'static, Outcome>>,
}

impl Connection {
    pub(super) fn new(context: Arc<Context>, principal: Principal) -> Self {
        Self { context, principal, watches: StreamMap::new(), full_since: None, running: FuturesUnordered::new() }
    }

    /// Serves the client until it goes, or has to.
    pub(super) async fn run(mut self, socket: WebSocket) {
        let (sink, mut incoming) = socket.split();
        let (mut outbox, writer) = Outbox::new(self.context.limits.outbound_messages);
        let writing = tokio::spawn(writer.run(sink));
        if let Some((code, reason)) = self.serve(&mut incoming, &outbox).await {
            outbox.close(code, reason);
        }
        drop(outbox);
        // The client hears why, and may still be saying something: what it says is no longer read.
        let _ = writing.await;
    }

    async fn serve(
        &mut self,
        incoming: &mut futures::stream::SplitStream<WebSocket>,
        outbox: &Outbox,
    ) -> Option<Ending> {
        let context = self.context.clone();
        let stall = Duration::from_secs(context.limits.stall_seconds);
        let idle = Duration::from_secs(context.limits.idle_seconds);
        let expiry = tokio::time::sleep(self.principal.expires_at.since(context.clock.now()));
        tokio::pin!(expiry);
        let mut look = tokio::time::interval(LOOK_AT_TOKEN);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut pings = tokio::time::interval(idle / 3);
        pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // News wait in their bounded subscription while the client reads what it has; what overflows there comes back as
            // a gap with a fresh snapshot behind it.
            let full = !outbox.has_room();
            self.full_since = full.then(|| self.full_since.unwrap_or_else(Instant::now));
            let stalled_at = self.full_since.map_or_else(Instant::now, |since| since + stall);
            tokio::select! {
                () = context.stopping.cancelled() => return Some((close::GOING_AWAY, "the node is stopping")),
                () = &mut expiry => return Some((close::EXPIRED, "the token has expired")),
                _ = look.tick() => if !context.security.is_good(&self.principal) {
                    return Some((close::EXPIRED, "the token was revoked"));
                },
                () = tokio::time::sleep_until(stalled_at), if full => {
                    return Some((close::TRY_AGAIN, "messages were left unread for too long"));
                }
                () = outbox.room(), if full => {}
                _ = pings.tick() => {
                    if heard.elapsed() >= idle {
                        return Some((close::IDLE, "nothing was heard for too long"));
                    }
                    // Without room there is traffic enough to find out that the client is gone.
                    outbox.send(Message::Ping(Vec::new().into()), Duration::ZERO).await;
                }
                Some(outcome) = self.running.next(), if !self.running.is_empty() => {
                    if !self.settle(outcome, outbox, stall).await {
                        return Some((close::TRY_AGAIN, "answers were left unread for too long"));
                    }
                }
                Some((name, item)) = self.watches.next(), if !full && !self.watches.is_empty() => {
                    outbox.offer(protocol::event(&name, &item));
                }
                message = incoming.next(), if self.running.len() < IN_PROGRESS => {
                    heard = Instant::now();
                    match message {
                        None | Some(Err(_) | Ok(Message::Close(_))) => return None,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Binary(_))) => return Some((close::UNSUPPORTED, "messages are JSON text")),
                        Some(Ok(Message::Text(text))) if text.len() > Limits::WS_MESSAGE_BYTES => {
                            return Some((close::TOO_LARGE, "the message is over 512 KiB"));
                        }
                        Some(Ok(Message::Text(text))) => self.take(&text),
                    }
                }
            }
        }
    }

    /// Hands an answer to the client; false when it does not take it.
    async fn settle(&mut self, outcome: Outcome, outbox: &Outbox, stall: Duration) -> bool {
        match outcome {
            Outcome::Answer(text) => outbox.send(Message::Text(text), stall).await,
            Outcome::Watch(name, text, items) => {
                let sent = outbox.send(Message::Text(text), stall).await;
                // Meanwhile it may have been unwatched.
                if self.watches.contains_key(&name) {
                    self.watches.insert(name, items);
                }
                sent
            }
            Outcome::NoWatch(name, text) => {
                self.watches.remove(&name);
                outbox.send(Message::Text(text), stall).await
            }
        }
    }

    fn take(&mut self, text: &str) {
        let message = match protocol::parse(text) {
            Ok(message) => message,
            Err((name, problem)) => return self.answer(protocol::error(name.as_deref(), &problem)),
        };
        match message {
            ClientMessage::Ping { r#ref } => self.answer(protocol::pong(r#ref.as_deref())),
            ClientMessage::Unwatch { r#ref } => {
                self.watches.remove(&r#ref);
                self.answer(protocol::done(&r#ref, None));
            }
            ClientMessage::Submit { r#ref, task } => {
                let Some(place) = self.place(&r#ref) else { return };
                let (context, principal) = (self.context.clone(), self.principal.clone());
                self.running.push(Box::pin(async move {
                    let _place = place;
                    let named = task.agent.clone().unwrap_or_default();
                    let submitted = context.orchestrator.submit(&principal, task.into_submit(None, None)).await;
                    Outcome::Answer(match submitted {
                        Ok(submitted) => protocol::accepted(&r#ref, &submitted.task, submitted.created),
                        Err(problem) => protocol::error(Some(&r#ref), &with_agent_name(problem, &named)),
                    })
                }));
            }
            ClientMessage::Control { r#ref, agent, command, task } => self.control(r#ref, agent, command, task),
            ClientMessage::Watch { r#ref, topic, id, after } => match self.watch(&r#ref, topic, id, after.as_deref()) {
                Ok(watch) => self.running.push(watch),
                Err(problem) => self.answer(protocol::error(Some(&r#ref), &problem)),
            },
        }
    }

    /// A place among the requests in progress of the whole node; when there is none, the client is told.
    fn place(&mut self, name: &str) -> Option<OwnedSemaphorePermit> {
        match self.context.admit() {
            Ok(place) => Some(place),
            Err(problem) => {
                self.answer(protocol::error(Some(name), &problem));
                None
            }
        }
    }

    /// Answers go through the requests in progress, so that they meet the same bound.
    fn answer(&mut self, text: Utf8Bytes) {
        self.running.push(Box::pin(std::future::ready(Outcome::Answer(text))));
    }

    fn control(&mut self, name: String, agent: String, command: CommandName, task: Option<String>) {
        let Some(place) = self.place(&name) else { return };
        let (context, principal) = (self.context.clone(), self.principal.clone());
        self.running.push(Box::pin(async move {
            let _place = place;
            let result = async {
                let command = match command {
                    CommandName::Pause => ControlCommand::Pause,
                    CommandName::Resume => ControlCommand::Resume,
                    CommandName::Stop => ControlCommand::Stop,
                    CommandName::Cancel => ControlCommand::Cancel { task: parse_id(task.as_deref(), "task")? },
                };
                context
                    .orchestrator
                    .control(&principal, agent_id(&agent), command)
                    .await
                    .map_err(|problem| with_agent_name(problem, &agent))
            };
            Outcome::Answer(match result.await {
                Ok(agent) => protocol::done(&name, Some(&agent)),
                Err(problem) => protocol::error(Some(&name), &problem),
            })
        }));
    }

    fn watch(
        &mut self,
        name: &str,
        topic: TopicName,
        id: Option<String>,
        after: Option<&str>,
    ) -> Result<BoxFuture<'static, Outcome>, Problem> {
        if !protocol::is_ref(name) {
            return Err(Problem::new(Code::BadRequest, "'ref' is empty or over 128 bytes"));
        }
        if self.watches.contains_key(name) {
            return Err(Problem::new(Code::Unprocessable, format!("the watch {name:?} exists already"))
                .hint("unwatch it first, or use another 'ref'"));
        }
        let limit = self.context.limits.watches;
        if self.watches.len() >= limit {
            return Err(Problem::new(
                Code::Overloaded,
                format!("this connection has {limit} watches, which is the limit"),
            ));
        }
        let topic = match topic {
            TopicName::Task => Topic::Task(parse_id(id.as_deref(), "id")?),
            TopicName::Agent => Topic::Agent(agent_id(id.as_deref().ok_or_else(|| missing("id"))?)),
            TopicName::All => Topic::All,
        };
        let after: Option<EventId> = after.map(str::parse).transpose()?;
        let place = self.context.admit()?;
        // In place at once: a second watch of the same name, sent right behind, finds it.
        self.watches.insert(name.to_owned(), futures::stream::pending().boxed());
        let (context, principal, name) = (self.context.clone(), self.principal.clone(), name.to_owned());
        Ok(Box::pin(async move {
            let _place = place;
            match begin(&context, &principal, &name, topic, after).await {
                Ok((text, items)) => Outcome::Watch(name, text, items),
                Err(problem) => {
                    let text = protocol::error(Some(&name), &problem);
                    Outcome::NoWatch(name, text)
                }
            }
        }))
    }
}

/// Subscribes first and takes the snapshot then, so that nothing falls between the two.
async fn begin(
    context: &Arc<Context>,
    principal: &Principal,
    name: &str,
    topic: Topic,
    after: Option<EventId>,
) -> Result<(Utf8Bytes, ItemStream), Problem> {
    let feed = Feed::subscribe(context, principal, topic, after).await?;
    Ok(match topic {
        Topic::Task(id) => {
            let task = context.orchestrator.task(principal, id, None).await?;
            // A task that has ended sends its `ended` with the snapshot: nothing else will come.
            let feed = if task.state.is_ended() { feed.with_snapshot().await? } else { feed };
            (protocol::watching(name, Some(&task)), feed.into_stream())
        }
        Topic::Agent(_) => (protocol::watching(name, None), feed.with_snapshot().await?.into_stream()),
        Topic::Agents | Topic::All => (protocol::watching(name, None), feed.into_stream()),
    })
}

fn missing(field: &str) -> Problem {
    Problem::new(Code::BadRequest, format!("'{field}' is missing"))
}

fn parse_id(text: Option<&str>, field: &str) -> Result<octopussy_core::ids::TaskId, Problem> {
    let text = text.ok_or_else(|| missing(field))?;
    text.parse().map_err(|error: octopussy_core::ids::ParseIdError| Problem::new(Code::BadRequest, error.to_string()))
}
