//! One run of a task: begun, step by step, ended, all under the epoch of one leadership.

use super::clients::signed;
use super::event::Event;
use super::hosting::{Hosting, Tenure};
use super::planted::Planted;
use super::rng::Rng;
use octopussy_core::agent::Usage;
use octopussy_core::ids::{PartyId, TaskId};
use octopussy_core::message::{DEFAULT_TTL, Message};
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Applied, Command, Outcome, StepKind, StepOutcome, StepRecord, TaskRecord, TaskState};
use octopussy_core::time::Clock;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How many steps a task takes.
pub(super) const STEPS: u32 = 3;

/// The longest a step takes, in milliseconds.
const STEP: u64 = 60;

/// How long after an answer that says nothing certain a command is proposed again.
const AGAIN: Duration = Duration::from_millis(100);

/// How often is looked whether a lease has been renewed.
const RENEWED: Duration = Duration::from_millis(10);

/// One run of a task.
pub(super) struct Run<'a> {
    pub(super) hosting: &'a Hosting,
    pub(super) tenure: &'a Tenure,
    pub(super) task: TaskId,
}

impl Run<'_> {
    /// Says whether the task has been brought to its end.
    pub(super) async fn drive(&self) -> bool {
        let (task, epoch, now) = (self.task, self.tenure.epoch, self.hosting.clock.now());
        let begun = match self.commit(Command::Begin { task, epoch, version: 1, now }).await {
            Some(Applied::Task(begun)) => begun,
            Some(other) => {
                self.hosting.history.fail(format!("a beginning is answered with {other:?}"));
                return false;
            }
            None => return false,
        };
        if begun.state != TaskState::Running {
            return begun.state.is_ended();
        }
        let journaled = u32::try_from(begun.steps.len()).unwrap();
        let first = if self.hosting.planted == Planted::NoJournal { 0 } else { journaled };
        for index in first..STEPS {
            if !self.step(index, begun.begun).await {
                return false;
            }
        }
        let (result, now) = (self.result(begun.begun), self.hosting.clock.now());
        let end = Command::End { task, epoch, outcome: Outcome::Succeeded(result), memory: None, now };
        self.commit(end).await.is_some()
    }

    /// Waits until this node may act; answers no once the leadership is over. A lease that has run out may be renewed.
    async fn may_act(&self) -> bool {
        let may = || self.hosting.led.epoch(self.tenure.shard) == Some(self.tenure.epoch);
        while !self.tenure.over.is_cancelled() {
            if self.hosting.planted == Planted::Deaf || may() {
                return true;
            }
            tokio::time::sleep(RENEWED).await;
        }
        false
    }

    async fn step(&self, index: u32, attempt: u32) -> bool {
        if !self.may_act().await {
            return false;
        }
        let Tenure { shard, epoch, .. } = *self.tenure;
        let (node, task) = (self.hosting.number, self.task);
        self.hosting.history.see(&Event::Effect { node, shard, epoch, task, step: index });
        let started_at = self.hosting.clock.now();
        let took = self.rng(u64::from(index)).between(5, STEP);
        let worked = self.tenure.over.run_until_cancelled(tokio::time::sleep(Duration::from_millis(took)));
        if worked.await.is_none() {
            return false;
        }
        let step = StepRecord {
            index,
            kind: StepKind::Model,
            name: "answer".into(),
            by: "test/model".into(),
            attempt,
            epoch,
            started_at,
            ended_at: self.hosting.clock.now(),
            outcome: StepOutcome::Done(format!("{} at {epoch}", self.hosting.number).into()),
            usage: Usage { prompt_tokens: 10, completion_tokens: 5, cost_micros: 7 },
        };
        let journaled = self.commit(Command::Step { task, now: step.ended_at, step: Arc::new(step) }).await.is_some();
        journaled || self.hosting.planted == Planted::Deaf
    }

    /// Commits a command, again and again while nothing certain is known of it and the leadership lasts.
    async fn commit(&self, command: Command) -> Option<Applied> {
        let mut unsure = false;
        loop {
            if self.tenure.over.is_cancelled() {
                return None;
            }
            match self.hosting.ledger.propose(self.tenure.shard, command.clone()).await {
                Ok(applied) => return Some(applied),
                // Refused because it was applied before? While the lease is not renewed yet, that cannot be looked up.
                Err(ProposeError::Refused(_)) if unsure => {
                    if let Ok(task) = self.hosting.led.task(self.task) {
                        return task.filter(|task| shows(task, &command)).map(Applied::Task);
                    }
                }
                Err(ProposeError::Uncertain(_) | ProposeError::NoLeader(_) | ProposeError::Busy) => unsure = true,
                // Nothing changed: the leadership comes through, or its end ends this.
                Err(ProposeError::NotLeader(_)) => {}
                Err(
                    ProposeError::Refused(_)
                    | ProposeError::DiskFull
                    | ProposeError::Store(_)
                    | ProposeError::Stopping
                    | ProposeError::Full { .. }
                    | ProposeError::TooLarge { .. },
                ) => return None,
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// What says of itself who made it, so that two of them differ.
    fn result(&self, attempt: u32) -> Arc<Message> {
        let mut rng = self.rng(u64::from(self.hosting.number) << 8 | u64::from(attempt));
        let text = format!("attempt {attempt} at {}", self.hosting.number);
        signed(rng.uuid(), PartyId::from_uuid(Uuid::nil()), self.hosting.clock.now(), DEFAULT_TTL, &text)
    }

    fn rng(&self, salt: u64) -> Rng {
        let (high, low) = self.task.as_uuid().as_u64_pair();
        Rng(high ^ low.rotate_left(17) ^ (self.tenure.epoch.0 << 20) ^ salt)
    }
}

/// Whether the task is as the command leaves it.
fn shows(task: &TaskRecord, command: &Command) -> bool {
    match command {
        Command::Begin { epoch, .. } => task.state == TaskState::Running && task.epoch == *epoch,
        Command::Step { step, .. } => task.steps.iter().any(|other| other == step),
        Command::End { .. } => task.state.is_ended(),
        Command::Activate { .. }
        | Command::CreateAgent { .. }
        | Command::SetDesired { .. }
        | Command::Accept { .. }
        | Command::Cancel { .. }
        | Command::Replay { .. }
        | Command::Discard { .. }
        | Command::Tick { .. }
        | Command::Forget { .. }
        | Command::RecordUsage { .. }
        | Command::ResetUsage { .. }
        | Command::UpdateAgent { .. }
        | Command::DeleteAgent { .. }
        | Command::ForgetDead { .. } => false,
    }
}
