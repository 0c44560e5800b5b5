//! Proposing to the ledger, patiently: a run's commands are not given up on while its leadership lasts.

use super::host::Host;
use super::shared::AgentShared;
use octopussy_core::ports::{LedShardsPort, ProposeError};
use octopussy_core::task::{Applied, Command, Outcome, Refusal, TaskRecord, TaskState};
use std::time::Duration;
use tracing::warn;

/// The shortest and the longest wait between two proposals to a busy log.
const BUSY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// The wait between two proposals to a log that cannot be written: the node itself tries its disk about that often.
const FAILED: Duration = Duration::from_secs(1);

/// The wait between two proposals while the shard's leadership is in doubt: shorter than an election, since this node either
/// still leads or is told soon that it does not.
const IN_DOUBT: Duration = Duration::from_millis(100);

/// What a proposal that was not taken means for the next one.
enum Again {
    /// Nothing changed; ask soon.
    Soon,
    /// The command may be in the log or not; ask after this time.
    Unsure(Duration),
    /// No other proposal would fare better.
    Never,
}

impl Host {
    /// Commits a command of an active agent. While the log is at its bound or cannot be written it is proposed again, until
    /// it is taken, the leadership is lost, or (with a log that cannot be written) the node stops: then the next
    /// leadership recovers the task.
    pub(crate) async fn commit(&self, shared: &AgentShared, command: Command) -> Result<Applied, ProposeError> {
        if shared.is_fenced() {
            return Err(ProposeError::NotLeader(shared.shard));
        }
        match self.ports.ledger.propose(shared.shard, command.clone()).await {
            Ok(applied) => Ok(applied),
            Err(error) => self.commit_again(shared, command, error).await,
        }
    }

    /// Commits a command whose first proposal was answered with `error`.
    pub(crate) async fn commit_again(
        &self,
        shared: &AgentShared,
        command: Command,
        mut error: ProposeError,
    ) -> Result<Applied, ProposeError> {
        let mut wait = BUSY.0;
        let mut unsure = false;
        loop {
            match again(&error, &command) {
                Again::Soon => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(BUSY.1);
                }
                Again::Unsure(wait) => {
                    if !std::mem::replace(&mut unsure, true) {
                        warn!(agent.id = %shared.id, %error, "the log does not take a command; it is proposed again");
                    }
                    if self.stopping.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                        return Err(error);
                    }
                }
                Again::Never => {
                    return match &error {
                        ProposeError::Refused(refusal) if unsure => {
                            self.applied_before(shared, &command, refusal).await
                        }
                        ProposeError::Refused(_)
                        | ProposeError::NotLeader(_)
                        | ProposeError::NoLeader(_)
                        | ProposeError::Uncertain(_)
                        | ProposeError::Busy
                        | ProposeError::DiskFull
                        | ProposeError::Store(_)
                        | ProposeError::Stopping
                        | ProposeError::Full { .. }
                        | ProposeError::TooLarge { .. } => Err(error),
                    };
                }
            }
            if shared.is_fenced() {
                return Err(ProposeError::NotLeader(shared.shard));
            }
            match self.ports.ledger.propose(shared.shard, command.clone()).await {
                Ok(applied) => return Ok(applied),
                Err(next) => error = next,
            }
        }
    }

    /// A command that may have been in the log after all was refused: because it was?
    async fn applied_before(
        &self,
        shared: &AgentShared,
        command: &Command,
        refusal: &Refusal,
    ) -> Result<Applied, ProposeError> {
        let task = match command {
            Command::Begin { task, .. } | Command::Step { task, .. } | Command::End { task, .. } => *task,
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
            | Command::ForgetDead { .. } => return Err(refusal.clone().into()),
        };
        match self.read_led(shared, |led| led.task(task)).await? {
            Some(record) if shows(&record, command) => Ok(Applied::Task(record)),
            Some(_) | None => Err(refusal.clone().into()),
        }
    }

    /// Waits until this node is certain to lead the agent's shard, before something is done that others see; no when the agent
    /// is fenced, or the node stops. A process that stood still must not act by a lease that has run out meanwhile, and may
    /// wake up here before anybody has looked at it.
    pub(crate) async fn may_act(&self, shared: &AgentShared) -> bool {
        let certain = |led: &dyn LedShardsPort| {
            let leads = !shared.is_fenced() && led.epoch(shared.shard) == Some(shared.epoch);
            leads.then_some(()).ok_or(ProposeError::NotLeader(shared.shard))
        };
        self.read_led(shared, certain).await.is_ok()
    }

    /// Reads what an active agent's shard holds. Between two looks of this node at its lease a leadership that lasts may not
    /// be certain; it is then asked again, until it is or the agent is fenced.
    pub(crate) async fn read_led<T>(
        &self,
        shared: &AgentShared,
        read: impl Fn(&dyn LedShardsPort) -> Result<T, ProposeError>,
    ) -> Result<T, ProposeError> {
        loop {
            match read(&*self.ports.led) {
                Err(error @ ProposeError::NotLeader(_)) => {
                    let doubt = self.stopping.run_until_cancelled(tokio::time::sleep(IN_DOUBT));
                    if shared.is_fenced() || doubt.await.is_none() {
                        return Err(error);
                    }
                }
                read => return read,
            }
        }
    }
}

fn again(error: &ProposeError, command: &Command) -> Again {
    match error {
        ProposeError::Busy => Again::Soon,
        // Spent tokens would count twice if the first proposal is in the log after all.
        ProposeError::DiskFull | ProposeError::Store(_) | ProposeError::Uncertain(_)
            if matches!(command, Command::RecordUsage { .. }) =>
        {
            Again::Never
        }
        ProposeError::DiskFull | ProposeError::Store(_) => Again::Unsure(FAILED),
        // The leadership in whose name it is proposed either comes through this or ends, which silences the agent.
        ProposeError::NotLeader(_) | ProposeError::NoLeader(_) | ProposeError::Uncertain(_) => Again::Unsure(IN_DOUBT),
        ProposeError::Refused(_)
        | ProposeError::Stopping
        | ProposeError::Full { .. }
        | ProposeError::TooLarge { .. } => Again::Never,
    }
}

/// Whether the task is as the command leaves it. Nobody else commits for a task while its run is on the agent's list, so
/// that it cannot have got there by another way than this command, or one with the same effect.
fn shows(record: &TaskRecord, command: &Command) -> bool {
    match command {
        Command::Begin { epoch, .. } => {
            record.state.is_ended() || (record.state == TaskState::Running && record.epoch == *epoch)
        }
        Command::Step { step, .. } => {
            usize::try_from(step.index).ok().and_then(|index| record.steps.get(index)) == Some(step)
        }
        Command::End { outcome, .. } => match outcome {
            Outcome::Succeeded(result) => record.result.as_ref() == Some(result),
            Outcome::Failed(_) => record.state == TaskState::Failed,
            Outcome::Cancelled(_) => record.state == TaskState::Cancelled,
            Outcome::DeadLetter(reason, _) => record.dead_letter == Some(*reason),
            // Back in its mailbox, or ended there because there was a reason not to try again.
            Outcome::Retry(_) | Outcome::HandedBack | Outcome::Postponed(_) => record.state != TaskState::Running,
        },
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
