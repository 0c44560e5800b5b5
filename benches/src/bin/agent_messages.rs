//! Messages to agents of this node through the whole inbound chain (signature, time to live, kind, content, replay window),
//! beside bare casts to a ractor actor: what it costs that no message is ever delivered unchecked.
//!
//! `agent_messages [--messages 200000] [--repeat 3] [--json FILE]`

use anyhow::Result;
use async_trait::async_trait;
use octopussy_benches::{Arguments, Report, Rig, median};
use octopussy_core::ids::{AgentId, MessageId, PartyId, TraceId};
use octopussy_core::message::{DEFAULT_TTL, Message, MessageDraft, MessageType, Payload, Priority};
use octopussy_core::problem::Code;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::time::Instant;
use tokio::sync::oneshot;
use uuid::Uuid;

/// How many messages are signed ahead of each measured stretch: less than the replay window remembers.
const BATCH: usize = 20_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(&["messages", "repeat", "json"])?;
    let messages: usize = arguments.number("messages", 200_000)?;
    let repeat: usize = arguments.number("repeat", 3)?;
    let report = Report::new("agent_messages", arguments.text("json"));
    let home = tempfile::tempdir()?;
    let rig = Rig::start(home.path()).await?;
    let mut casts = Vec::new();
    for _ in 0..repeat {
        casts.push(bare_casts(messages).await?);
    }
    let cast = median(casts);
    report.row("ractor casts, one actor", &[("per_second", cast)])?;
    for agents in [1, 16] {
        let mut ids = Vec::new();
        for number in 0..agents {
            ids.push(rig.create_agent(&format!("listener-{agents}-{number}")).await?);
        }
        let (mut signed, mut delivered) = (Vec::new(), Vec::new());
        for _ in 0..repeat {
            let (sign, deliver) = chain(&rig, &ids, messages).await?;
            signed.push(sign);
            delivered.push(deliver);
        }
        let (sign, deliver) = (median(signed), median(delivered));
        let both = 1.0 / (1.0 / sign + 1.0 / deliver);
        let values = [
            ("per_second", deliver),
            ("casts_over_chain", cast / deliver),
            ("signing_per_second", sign),
            ("with_signing_per_second", both),
        ];
        report.row(&format!("messages through the chain, {agents} agents"), &values)?;
    }
    Ok(())
}

/// Messages signed a second on one thread, and messages a second through inbox and chain. An inbox at its bound refuses and
/// is asked again, so that all but the last few hundred have been through the chain when the clock stops.
async fn chain(rig: &Rig, agents: &[AgentId], messages: usize) -> Result<(f64, f64)> {
    let (mut signing, mut delivering, mut done) = (0.0, 0.0, 0);
    while done < messages {
        let begun = Instant::now();
        let batch: Vec<Message> =
            (0..BATCH).map(|number| message(rig, agents[number % agents.len()])).collect::<Result<_>>()?;
        signing += begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        for message in batch {
            loop {
                match rig.actors.enqueue(message.clone()).await {
                    Ok(()) => break,
                    Err(problem) if problem.code == Code::MailboxFull => tokio::task::yield_now().await,
                    Err(problem) => return Err(problem.into()),
                }
            }
        }
        delivering += begun.elapsed().as_secs_f64();
        done += BATCH;
    }
    Ok((done as f64 / signing, done as f64 / delivering))
}

fn message(rig: &Rig, to: AgentId) -> Result<Message> {
    Ok(rig.security.sign(MessageDraft {
        message_id: MessageId::from_uuid(Uuid::now_v7()),
        sender_id: PartyId::from_uuid(Uuid::from_u128(1)),
        recipient_id: to.into(),
        message_type: MessageType::Event,
        payload: Payload::from_value(
            &serde_json::json!({"text": "the tide is coming in, and nobody has told the crabs"}),
        )?,
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(Uuid::from_u128(2)),
        created_at: rig.clock.now(),
        ttl: DEFAULT_TTL,
    }))
}

/// An actor that counts what it is sent.
struct Counter;

/// How many are left, and who is to be told at zero.
type Left = (usize, Option<oneshot::Sender<()>>);

#[async_trait]
impl Actor for Counter {
    type Msg = String;
    type State = Left;
    type Arguments = Left;

    async fn pre_start(&self, _: ActorRef<String>, left: Left) -> Result<Left, ActorProcessingErr> {
        Ok(left)
    }

    async fn handle(&self, _: ActorRef<String>, _: String, left: &mut Left) -> Result<(), ActorProcessingErr> {
        left.0 -= 1;
        if left.0 == 0
            && let Some(done) = left.1.take()
        {
            let _ = done.send(());
        }
        Ok(())
    }
}

async fn bare_casts(messages: usize) -> Result<f64> {
    let (done, all) = oneshot::channel();
    let (actor, ended) = Actor::spawn(None, Counter, (messages, Some(done))).await?;
    let text = "the tide is coming in, and nobody has told the crabs".to_owned();
    let begun = Instant::now();
    for _ in 0..messages {
        actor.cast(text.clone())?;
    }
    all.await?;
    let seconds = begun.elapsed().as_secs_f64();
    actor.stop(None);
    ended.await?;
    Ok(messages as f64 / seconds)
}
