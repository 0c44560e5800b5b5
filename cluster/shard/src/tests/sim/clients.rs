//! Clients: each gives one task after the other to whichever node, with an idempotency key, and asks again elsewhere until it
//! has an answer.

use super::event::Event;
use super::history::History;
use super::node::SimNode;
use super::planted::Planted;
use super::rng::Rng;
use octopussy_core::ids::{AgentId, MessageId, PartyId, ShardCount, TaskId, TraceId};
use octopussy_core::message::{
    DEFAULT_TTL, KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey,
};
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Applied, Command, NewTask};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_ledger::INLINE_TEXT;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How many clients there are.
const CLIENTS: u64 = 4;

/// How long a client waits for an answer, in milliseconds.
const PATIENCE: u64 = 7_000;

/// The longest a client rests between two tasks, in milliseconds.
const REST: u64 = 250;

/// How long most tasks live: longer than clocks differ.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a few tasks live: so long that they may be waiting still.
const SHORT: Duration = Duration::from_secs(8);

type Answer = Arc<Mutex<Option<Result<Applied, ProposeError>>>>;

/// A request on its way through a node.
struct Asked {
    node: u8,
    /// The node's life that it was asked in.
    boots: u64,
    at: u64,
    answer: Answer,
}

struct Client {
    key: Arc<str>,
    agent: AgentId,
    asked: Option<Asked>,
    /// How long its task is to live, once it has asked.
    ttl: Option<Duration>,
    /// When it acts next.
    next: u64,
}

/// A signed message.
pub(super) fn signed(id: Uuid, to: PartyId, at: Timestamp, ttl: Duration, text: &str) -> Arc<Message> {
    let keyring = Keyring::new(SigningKey::new(KeyId(1), [3; 32]));
    Arc::new(keyring.sign(MessageDraft {
        message_id: MessageId::from_uuid(id),
        sender_id: PartyId::from_uuid(Uuid::nil()),
        recipient_id: to,
        message_type: MessageType::Task,
        payload: Payload::from_value(&serde_json::json!({ "input": text })).unwrap(),
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(Uuid::nil()),
        created_at: at,
        ttl,
    }))
}

/// All clients.
pub(super) struct Clients {
    rng: Rng,
    clients: Vec<Client>,
    acknowledged: Vec<TaskId>,
    tasks: u64,
    history: Arc<History>,
    planted: Planted,
    shards: ShardCount,
}

impl Clients {
    pub(super) fn new(rng: Rng, shards: ShardCount, history: &Arc<History>, planted: Planted) -> Self {
        let history = Arc::clone(history);
        Self { rng, clients: Vec::new(), acknowledged: Vec::new(), tasks: 0, history, planted, shards }
    }

    /// What has been acknowledged.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.acknowledged.iter().copied()
    }

    /// Whether any of them waits for an answer.
    pub(super) fn are_waiting(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Lets them act; `more` says whether they begin something new.
    pub(super) fn step(&mut self, nodes: &BTreeMap<u8, SimNode>, agents: &[AgentId], more: bool) {
        while more && (self.clients.len() as u64) < CLIENTS {
            self.tasks += 1;
            let next = self.history.now() + self.rng.below(REST);
            let Some(agent) = self.rng.pick(agents) else { return };
            // Every fourth has so much text that it waits in the store.
            let digits = if self.tasks.is_multiple_of(4) { INLINE_TEXT as usize } else { 1 };
            self.clients.push(Client {
                key: format!("request {:0digits$}", self.tasks).into(),
                agent,
                asked: None,
                ttl: None,
                next,
            });
        }
        for mut client in std::mem::take(&mut self.clients) {
            if !self.act(&mut client, nodes) {
                self.clients.push(client);
            }
        }
    }

    /// Says whether the client has got what it wanted.
    fn act(&mut self, client: &mut Client, nodes: &BTreeMap<u8, SimNode>) -> bool {
        let now = self.history.now();
        let Some(asked) = &client.asked else {
            return now >= client.next && self.ask(client, nodes);
        };
        let answer = asked.answer.lock().take();
        match answer {
            Some(Ok(Applied::Task(task) | Applied::Duplicate(task))) => {
                self.note(&client.key, task.id);
                true
            }
            Some(Ok(other)) => {
                self.history.fail(format!("an acceptance is answered with {other:?}"));
                true
            }
            Some(Err(_)) => self.again(client),
            None => {
                let node = &nodes[&asked.node];
                if !node.is_up() || node.boots() != asked.boots || now >= asked.at + PATIENCE {
                    self.again(client);
                }
                false
            }
        }
    }

    fn again(&mut self, client: &mut Client) -> bool {
        client.asked = None;
        client.next = self.history.now() + self.rng.between(5, 100);
        false
    }

    fn note(&mut self, key: &Arc<str>, task: TaskId) {
        self.acknowledged.push(task);
        self.history.see(&Event::Acknowledged { key: Arc::clone(key), task });
    }

    /// Says whether the client takes that for an answer.
    fn ask(&mut self, client: &mut Client, nodes: &BTreeMap<u8, SimNode>) -> bool {
        let up: Vec<u8> = nodes.values().filter(|node| node.opened().is_some()).map(|node| node.number).collect();
        let Some(node) = self.rng.pick(&up).map(|number| &nodes[&number]) else { return false };
        let Some(opened) = node.opened() else { return false };
        // As the gateway does it: a new id each time, and the key that makes it the same request.
        let id = TaskId::for_agent(client.agent, self.rng.uuid());
        let now = node.clock.now();
        // Some would end as expired where the clock of a leader is ahead, and a few do end so.
        let ttl = match self.rng.below(16) {
            0..4 => DEFAULT_TTL,
            4 => SHORT,
            _ => LONG,
        };
        let ttl = *client.ttl.get_or_insert(ttl);
        let lives = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.history.see(&Event::Asked { key: Arc::clone(&client.key), ttl: lives });
        let task = Box::new(NewTask {
            id,
            agent: client.agent,
            sender: PartyId::from_uuid(Uuid::nil()),
            message: signed(self.rng.uuid(), client.agent.into(), now, ttl, &client.key),
            idempotency: (self.planted != Planted::NoKeys).then(|| (Arc::clone(&client.key), 1)),
            max_attempts: 3,
        });
        let shard = self.shards.shard_of(client.agent);
        let early = self.planted == Planted::EarlyAcknowledgement && !node.speaks(std::iter::once(shard)).is_empty();
        if early {
            self.note(&client.key, id);
        }
        let answer = Answer::default();
        let (slot, ledger) = (Arc::clone(&answer), Arc::clone(&opened.ledger));
        node.spawn(async move {
            let answered = ledger.propose(shard, Command::Accept { task, now }).await;
            *slot.lock() = Some(answered);
        });
        client.asked = Some(Asked { node: node.number, boots: node.boots(), at: self.history.now(), answer });
        early
    }
}
