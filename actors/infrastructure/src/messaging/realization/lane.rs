//! Questions and commands about agents that another node hosts.

use super::parts::{Parts, Waits};
use super::wire::{Answer, Ask, encode};
use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use lru::LruCache;
use octopussy_core::codec;
use octopussy_core::ids::{AgentId, MessageId, NodeId};
use octopussy_core::message::Message;
use octopussy_core::ports::{AgentLive, Lane, LaneHandler, MeshError, decode_request, encode_request};
use octopussy_core::problem::{Code, Problem};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// How long a command looks for a leader that takes it: longer than an election, shorter than a client waits.
const CONTROL_WITHIN: Duration = Duration::from_secs(10);

/// How long one leader may take over a command: the agent is given a second to follow it.
const CONTROL_ATTEMPT: Duration = Duration::from_secs(3);

/// How long the leaders may take to say how their agents are.
const LIVE_WITHIN: Duration = Duration::from_secs(1);

/// The most agents of one question: as many as a page of the ledger has.
const LIVE_MOST: usize = 500;

/// How many commands of other nodes are remembered with their outcome: those of some minutes, even from a busy operator.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// Commands of other nodes with their outcome, once they have one.
type Handled = Arc<Mutex<LruCache<MessageId, Option<Result<(), Problem>>>>>;

/// Serves the lane of agents. Holds messaging weakly: the mesh outlives it.
pub(crate) struct AgentLane {
    parts: Weak<Parts>,
    handled: Handled,
}

impl AgentLane {
    pub(crate) fn new(parts: &Arc<Parts>) -> Self {
        Self { parts: Arc::downgrade(parts), handled: Arc::new(Mutex::new(LruCache::new(REMEMBERED))) }
    }
}

impl LaneHandler for AgentLane {
    fn handle(&self, _: NodeId, request: Bytes, within: Duration) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        let (parts, handled) = (self.parts.upgrade(), self.handled.clone());
        Box::pin(async move {
            let parts = parts.ok_or_else(|| Arc::from("messaging has stopped"))?;
            let ask = decode_request(&request).map_err(|error| Arc::from(error.to_string()))?;
            let answer = match ask {
                Ask::Control(message) => command(parts, handled, message, within).await,
                Ask::Live(agents) => Answer::Live(here(&parts, agents.into_iter().take(LIVE_MOST))),
            };
            encode(&answer).ok_or_else(|| Arc::from("the answer cannot be encoded"))
        })
    }
}

/// Hands a command of another node to the agents' host, once. A command that comes again because its answer was lost gets
/// the same answer; one that takes longer than its sender waits goes on.
async fn command(parts: Arc<Parts>, handled: Handled, message: Message, within: Duration) -> Answer {
    if let Err(error) = parts.security.verify(&message) {
        return Answer::Handled(Err(Problem::new(Code::Forbidden, error.to_string())));
    }
    let id = message.message_id();
    let shard = parts.ledger.shards().shard_of(AgentId::from(message.recipient_id()));
    if !parts.leads(shard) {
        return Answer::NotLeader;
    }
    let host = match parts.host() {
        Ok(host) => host,
        Err(problem) => return Answer::Handled(Err(problem)),
    };
    {
        let mut handled = handled.lock();
        match handled.get(&id) {
            Some(Some(result)) => return Answer::Handled(result.clone()),
            Some(None) => return Answer::Handling,
            None => handled.put(id, None),
        };
    }
    let work = tokio::spawn(async move {
        let result = host.control(message).await;
        handled.lock().put(id, Some(result.clone()));
        result
    });
    match tokio::time::timeout(within, work).await {
        Ok(Ok(result)) => Answer::Handled(result),
        Ok(Err(_)) => Answer::Handled(Err(Problem::new(Code::Internal, "the command broke off"))),
        Err(_) => Answer::Handling,
    }
}

/// How the agents are whose shards this node leads.
fn here(parts: &Parts, agents: impl Iterator<Item = AgentId>) -> Vec<AgentLive> {
    let lifecycle = parts.lifecycle.read().clone();
    let status = |agent| lifecycle.as_ref().and_then(|lifecycle| lifecycle.status(agent));
    agents
        .filter(|agent| parts.leads(parts.ledger.shards().shard_of(*agent)))
        .map(|agent| AgentLive { agent, status: status(agent), waiting: parts.led.waiting(agent) })
        .collect()
}

impl Parts {
    /// Hands a command to the host of its agent, wherever that is.
    pub(crate) async fn command(&self, message: Message) -> Result<(), Problem> {
        let shard = self.ledger.shards().shard_of(AgentId::from(message.recipient_id()));
        let deadline = Instant::now() + CONTROL_WITHIN;
        let mut waits = Waits::new();
        loop {
            if self.leads(shard) {
                return self.host()?.control(message).await;
            }
            if let Some(leader) = self.leader_elsewhere(shard) {
                let within = CONTROL_ATTEMPT.min(deadline.saturating_duration_since(Instant::now()));
                match self.ask(leader, &Ask::Control(message.clone()), within).await {
                    Ok(Answer::Handled(result)) => return result,
                    Ok(Answer::Handling | Answer::NotLeader | Answer::Live(_)) | Err(_) => {}
                }
            }
            let wait = waits.next();
            if Instant::now() + wait >= deadline {
                let detail = format!("the leader of shard {shard}, which hosts the agent, does not answer");
                return Err(Problem::new(Code::NotReady, detail).retry_after(Duration::from_secs(1)));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// How the agents are, from the leaders of their shards; those whose leader does not answer are left out.
    pub(crate) async fn live(&self, agents: &[AgentId]) -> Vec<AgentLive> {
        let mut elsewhere: HashMap<NodeId, Vec<AgentId>> = HashMap::new();
        for &agent in agents {
            let shard = self.ledger.shards().shard_of(agent);
            if !self.leads(shard)
                && let Some(leader) = self.leader_elsewhere(shard)
            {
                elsewhere.entry(leader).or_default().push(agent);
            }
        }
        let asked = elsewhere.iter().flat_map(|(&node, agents)| {
            agents.chunks(LIVE_MOST).map(move |agents| async move {
                match self.ask(node, &Ask::Live(agents.to_vec()), LIVE_WITHIN).await {
                    Ok(Answer::Live(live)) => live,
                    Ok(Answer::Handled(_) | Answer::Handling | Answer::NotLeader) | Err(_) => Vec::new(),
                }
            })
        });
        let mut live = here(self, agents.iter().copied());
        live.extend(join_all(asked).await.into_iter().flatten());
        live
    }

    async fn ask(&self, node: NodeId, ask: &Ask, within: Duration) -> Result<Answer, MeshError> {
        let unreadable = |reason: &str| MeshError::Refused { node, reason: Arc::from(reason) };
        let request = encode_request(ask).map_err(|error| unreadable(&error.to_string()))?;
        let answer = self.mesh.call(node, Lane::Agent, request.into(), within).await?;
        codec::decode(&answer).map_err(|error| unreadable(&error.to_string()))
    }
}
