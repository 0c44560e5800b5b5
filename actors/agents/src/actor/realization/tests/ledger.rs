//! A ledger in memory: the rules of the real one that matter here, applied at once.

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use octopussy_core::agent::{AgentRecord, Desired};
use octopussy_core::ids::{AgentId, Epoch, NodeId, ShardCount, ShardId, TaskId};
use octopussy_core::ports::{AgentQuery, LedShardsPort, LedgerObserver, LedgerPort, Page, ProposeError, TaskQuery};
use octopussy_core::task::{Applied, Command, DeadLetterReason, LedgerEvent, Outcome, Refusal, TaskRecord, TaskState};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const EPOCH: Epoch = Epoch(7);

#[derive(Default)]
pub(super) struct State {
    pub(super) agents: BTreeMap<AgentId, Arc<AgentRecord>>,
    pub(super) tasks: BTreeMap<TaskId, Arc<TaskRecord>>,
    pub(super) commands: Vec<Command>,
    pub(super) lost: bool,
    /// Whether the lease has run out and nobody has looked at it.
    pub(super) lapsed: bool,
    /// The commands whose next proposals fail, in any order.
    pub(super) faults: Vec<Fault>,
    /// How many of the next reads find that the leadership is not certain.
    pub(super) uncertain_reads: usize,
}

impl State {
    fn read<T>(&mut self, value: impl FnOnce(&Self) -> T) -> Result<T, ProposeError> {
        match self.uncertain_reads.checked_sub(1) {
            Some(left) => {
                self.uncertain_reads = left;
                Err(ProposeError::NotLeader(ShardId(0)))
            }
            None => Ok(value(self)),
        }
    }
}

/// One failure of the log.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// Of which kind of command.
    pub(super) of: Kind,
    /// What the proposer is told.
    pub(super) error: ProposeError,
    /// Whether the command is in the log nevertheless.
    pub(super) applied: bool,
}

/// A kind of command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Begin,
    Step,
    End,
}

impl Kind {
    const fn of(command: &Command) -> Option<Self> {
        if matches!(command, Command::Begin { .. }) {
            Some(Self::Begin)
        } else if matches!(command, Command::Step { .. }) {
            Some(Self::Step)
        } else if matches!(command, Command::End { .. }) {
            Some(Self::End)
        } else {
            None
        }
    }
}

#[derive(Default)]
pub(super) struct FakeLedger {
    pub(super) state: Mutex<State>,
    observers: Mutex<Vec<Arc<dyn LedgerObserver>>>,
}

impl FakeLedger {
    pub(super) fn tell(&self, event: &LedgerEvent) {
        for observer in self.observers.lock().clone() {
            observer.on_event(event);
        }
    }

    pub(super) fn tell_yielding(&self, yields: bool) {
        for observer in self.observers.lock().clone() {
            observer.on_yielding(ShardId(0), yields);
        }
    }

    pub(super) fn add_task(&self, task: TaskRecord) {
        let event = LedgerEvent::TaskReady { agent: task.agent, task: task.id };
        self.state.lock().tasks.insert(task.id, Arc::new(task));
        self.tell(&event);
    }

    pub(super) fn lose(&self, shard: ShardId) {
        self.state.lock().lost = true;
        self.tell(&LedgerEvent::LeaderLost { shard });
    }

    fn apply(&self, command: Command) -> Result<(Applied, Vec<LedgerEvent>), ProposeError> {
        let mut state = self.state.lock();
        if state.lost {
            return Err(ProposeError::NotLeader(ShardId(0)));
        }
        state.commands.push(command.clone());
        match command {
            Command::SetDesired { agent, desired, .. } => {
                let record = state.agents.get_mut(&agent).ok_or(Refusal::UnknownAgent(agent))?;
                Arc::make_mut(record).desired = desired;
                let record = Arc::clone(record);
                let mut events = vec![LedgerEvent::AgentChanged { agent }];
                for task in
                    state.tasks.values_mut().filter(|task| task.agent == agent && task.state == TaskState::Accepted)
                {
                    match desired {
                        Desired::Active => events.push(LedgerEvent::TaskReady { agent, task: task.id }),
                        Desired::Paused => {}
                        Desired::Stopped => {
                            let task = Arc::make_mut(task);
                            task.state = TaskState::DeadLettered;
                            task.dead_letter = Some(DeadLetterReason::AgentStopped);
                        }
                    }
                }
                Ok((Applied::Agent(record), events))
            }
            Command::Begin { task, epoch, version, .. } => {
                let desired = state.tasks.get(&task).and_then(|task| state.agents.get(&task.agent)).map(|a| a.desired);
                let record = state.tasks.get_mut(&task).ok_or(Refusal::UnknownTask(task))?;
                if record.state != TaskState::Accepted || desired != Some(Desired::Active) {
                    return Err(Refusal::NotWaiting(task).into());
                }
                let changed = Arc::make_mut(record);
                changed.state = TaskState::Running;
                changed.attempts += 1;
                changed.begun += 1;
                changed.epoch = epoch;
                changed.agent_version = version;
                Ok((Applied::Task(Arc::clone(record)), Vec::new()))
            }
            Command::Step { task, step, .. } => {
                let record = state.tasks.get_mut(&task).ok_or(Refusal::UnknownTask(task))?;
                let expected = u32::try_from(record.steps.len()).expect("few steps");
                if record.state != TaskState::Running {
                    return Err(Refusal::NotRunning(task).into());
                }
                if step.index != expected {
                    return Err(Refusal::StepOutOfOrder { given: step.index, expected }.into());
                }
                Arc::make_mut(record).steps.push(step);
                Ok((Applied::Done, Vec::new()))
            }
            Command::End { task, outcome, memory, .. } => end(&mut state, task, outcome, memory),
            Command::Cancel { task, reason, .. } => {
                let record = state.tasks.get_mut(&task).ok_or(Refusal::UnknownTask(task))?;
                let agent = record.agent;
                if record.state == TaskState::Running {
                    return Ok((Applied::Done, vec![LedgerEvent::CancelRequested { agent, task }]));
                }
                let changed = Arc::make_mut(record);
                changed.state = TaskState::Cancelled;
                changed.error = Some(reason);
                Ok((Applied::Task(Arc::clone(record)), Vec::new()))
            }
            Command::RecordUsage { .. } => Ok((Applied::Done, Vec::new())),
            other @ (Command::Activate { .. }
            | Command::CreateAgent { .. }
            | Command::Accept { .. }
            | Command::Replay { .. }
            | Command::Discard { .. }
            | Command::Tick { .. }
            | Command::Forget { .. }
            | Command::ResetUsage { .. }
            | Command::UpdateAgent { .. }
            | Command::DeleteAgent { .. }
            | Command::ForgetDead { .. }) => panic!("the actor does not propose {other:?}"),
        }
    }
}

fn end(
    state: &mut State,
    id: TaskId,
    outcome: Outcome,
    memory: Option<Arc<str>>,
) -> Result<(Applied, Vec<LedgerEvent>), ProposeError> {
    let record = state.tasks.get_mut(&id).ok_or(Refusal::UnknownTask(id))?;
    if record.state != TaskState::Running {
        return Err(Refusal::NotRunning(id).into());
    }
    let task = Arc::make_mut(record);
    let agent = task.agent;
    let mut events = Vec::new();
    match outcome {
        Outcome::Succeeded(result) => (task.state, task.result) = (TaskState::Succeeded, Some(result)),
        Outcome::Failed(why) => (task.state, task.error) = (TaskState::Failed, Some(why)),
        Outcome::Cancelled(why) => (task.state, task.error) = (TaskState::Cancelled, Some(why)),
        Outcome::DeadLetter(reason, why) => {
            (task.state, task.dead_letter, task.error) = (TaskState::DeadLettered, Some(reason), Some(why));
        }
        Outcome::Retry(why) => {
            task.error = Some(why);
            if task.attempts >= task.max_attempts {
                (task.state, task.dead_letter) = (TaskState::DeadLettered, Some(DeadLetterReason::AttemptsExhausted));
            } else {
                task.state = TaskState::Accepted;
                events.push(LedgerEvent::TaskReady { agent, task: id });
            }
        }
        Outcome::Postponed(why) => {
            task.attempts -= 1;
            task.error = Some(why);
            task.state = TaskState::Accepted;
            events.push(LedgerEvent::TaskReady { agent, task: id });
        }
        Outcome::HandedBack => {
            task.attempts -= 1;
            task.state = TaskState::Accepted;
            events.push(LedgerEvent::TaskReady { agent, task: id });
        }
    }
    let record = Arc::clone(record);
    if let (Some(memory), Some(agent)) = (memory, state.agents.get_mut(&agent)) {
        Arc::make_mut(agent).memory = Some(memory);
    }
    Ok((Applied::Task(record), events))
}

/// A failure that is known a little later, as a disk's is: what was proposed behind it is in line by then.
fn late(error: ProposeError) -> BoxFuture<'static, Result<Applied, ProposeError>> {
    async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Err(error)
    }
    .boxed()
}

#[async_trait]
impl LedgerPort for FakeLedger {
    fn shards(&self) -> ShardCount {
        ShardCount::new(1).expect("one shard")
    }
    fn propose(&self, _: ShardId, command: Command) -> BoxFuture<'static, Result<Applied, ProposeError>> {
        let fault = {
            let faults = &mut self.state.lock().faults;
            let next = faults.iter().position(|fault| Kind::of(&command) == Some(fault.of));
            next.map(|index| faults.remove(index))
        };
        if let Some(Fault { error, applied: false, .. }) = fault {
            return late(error);
        }
        let applied = self.apply(command).map(|(applied, events)| {
            for event in &events {
                self.tell(event);
            }
            applied
        });
        if let Some(Fault { error, .. }) = fault {
            return late(error);
        }
        async move { applied }.boxed()
    }
    async fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        LedShardsPort::task(self, id)
    }
    async fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        LedShardsPort::agent(self, id)
    }
    async fn waiting(&self, agent: AgentId) -> Result<usize, ProposeError> {
        Ok(LedShardsPort::waiting(self, agent))
    }
    async fn tasks(&self, _: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, ProposeError> {
        Ok(Page { items: self.state.lock().tasks.values().cloned().collect(), more: false })
    }
    async fn agents(&self, _: &AgentQuery) -> Result<Page<Arc<AgentRecord>>, ProposeError> {
        Ok(Page { items: self.state.lock().agents.values().cloned().collect(), more: false })
    }
    async fn dead_letters(&self) -> Result<u64, ProposeError> {
        Ok(0)
    }
    async fn await_end(&self, id: TaskId, _: Duration) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        LedShardsPort::task(self, id)
    }
    fn leader(&self, _: ShardId) -> Option<NodeId> {
        None
    }
    fn health(&self) -> Result<(), ProposeError> {
        Ok(())
    }
}

impl LedShardsPort for FakeLedger {
    fn epoch(&self, _: ShardId) -> Option<Epoch> {
        let state = self.state.lock();
        (!state.lost && !state.lapsed).then_some(EPOCH)
    }
    fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        self.state.lock().read(|state| state.tasks.get(&id).cloned())
    }
    fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        self.state.lock().read(|state| state.agents.get(&id).cloned())
    }
    fn next_task(&self, agent: AgentId) -> Option<Arc<TaskRecord>> {
        self.next_tasks(agent, 1).pop()
    }
    fn next_tasks(&self, agent: AgentId, limit: usize) -> Vec<Arc<TaskRecord>> {
        let state = self.state.lock();
        let waiting = state.tasks.values().filter(|task| task.agent == agent && task.state == TaskState::Accepted);
        waiting.take(limit).cloned().collect()
    }
    fn waiting(&self, agent: AgentId) -> usize {
        self.next_tasks(agent, usize::MAX).len()
    }
    fn agents_with_work(&self) -> Vec<AgentId> {
        let agents: Vec<_> = self.state.lock().agents.keys().copied().collect();
        agents.into_iter().filter(|agent| LedShardsPort::waiting(self, *agent) > 0).collect()
    }
    fn dead_letters(&self) -> u64 {
        0
    }
    fn observe(&self, observer: Arc<dyn LedgerObserver>) {
        self.observers.lock().push(observer);
    }
}
