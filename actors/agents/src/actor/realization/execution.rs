//! Works through one run: begins the task, does what the run asks for, journals each step, ends the task.

use super::agent::AgentMsg;
use super::documents::{DocumentError, Documents};
use super::rejection::REFUSED_PAUSE;
use super::run_control::Interrupt;
use super::run_task::RunTask;
use crate::actor::essence::{Call, Done, Memory, Next, Run};
use octopussy_core::agent::{AgentType, Usage};
use octopussy_core::ports::{
    BudgetVerdict, ChatRequest, Completion, EventKind, GuardrailVerdict, LlmError, LlmPort, Passage, PromptInput,
    ProposeError,
};
use octopussy_core::task::{
    Applied, Command, Outcome, StepKey, StepKind, StepOutcome, StepRecord, TaskContent, TaskRecord, TaskState,
};
use octopussy_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{debug, warn};

/// Beyond this many bytes of documents, passages are chosen on a thread of their own.
const INLINE_RETRIEVAL_BYTES: usize = 256 * 1024;

/// How many times its own bound a call may take in all before it is given up: the router tries a primary and a fallback,
/// each several times, each with the agent's bound.
const CALL_SLACK: u32 = 8;

/// Why a run stops before its answer.
pub(super) enum Halt {
    /// It was interrupted.
    Interrupted(Interrupt),
    /// With this outcome.
    Outcome(Outcome),
    /// It may work another time; when the model asks to come back, where it said so.
    Transient(String, Option<Duration>),
    /// The budget is spent.
    Budget(String),
    /// The ledger does not take the run's commands: another leadership owns the task, or the store failed.
    Silent,
}

/// One run under way.
pub(super) struct Execution<'a> {
    run_task: &'a RunTask,
    content: TaskContent,
    permit: Option<OwnedSemaphorePermit>,
    attempt: u32,
    passages: Vec<Passage>,
    memory: Memory,
    redacted: Vec<&'static str>,
    first_call: bool,
}

impl<'a> Execution<'a> {
    pub(super) fn new(run_task: &'a RunTask, content: TaskContent, permit: OwnedSemaphorePermit) -> Self {
        let attempt = run_task.task.attempts + 1;
        Self {
            run_task,
            content,
            permit: Some(permit),
            attempt,
            passages: Vec::new(),
            memory: Memory::default(),
            redacted: Vec::new(),
            first_call: true,
        }
    }

    /// Whether it failed.
    pub(super) async fn drive(mut self) -> bool {
        match self.work().await {
            Ok(()) => false,
            Err(halt) => self.halt(halt).await,
        }
    }

    async fn work(&mut self) -> Result<(), Halt> {
        let mut run = self.begin().await?;
        loop {
            match run.next() {
                // Already in the journal in full: only its end was lost.
                Next::Finish(text) => return self.finish(&text, None).await,
                Next::Fail(why) => return Err(Halt::Outcome(Outcome::Failed(why.into()))),
                Next::Retrieve => {
                    let documents = self.documents().await?;
                    let step = self.retrieve(&documents, run.position()).await?;
                    self.commit_step(&step).await?;
                    complete(&mut run, &step);
                }
                Next::Call(call) => {
                    self.at_boundary()?;
                    let step = self.ask(&run, &call).await?;
                    if call.last {
                        let text = done_text(&step);
                        return self.finish(&text, Some(step)).await;
                    }
                    self.commit_step(&step).await?;
                    complete(&mut run, &step);
                }
            }
        }
    }

    /// Begins the task and takes over what earlier attempts journaled. The first retrieval overlaps with the commit: it
    /// touches nothing outside, and its entry follows the beginning in the log.
    async fn begin(&mut self) -> Result<Run, Halt> {
        let cx = self.run_task;
        let retrieves = !cx.record.documents.is_empty() || !self.content.documents.is_empty();
        let begin = cx.host.ports.ledger.propose(cx.shared.shard, cx.begin_command());
        let mut run = Run::new(&cx.record.spec.reasoning, retrieves);
        let first = if retrieves && cx.task.steps.is_empty() {
            match self.documents().await {
                Ok(documents) => Some(self.retrieve(&documents, 0).await),
                Err(halt) => Some(Err(halt)),
            }
        } else {
            None
        };
        let first_step = match &first {
            Some(Ok(step)) => {
                let command = Command::Step { task: cx.task.id, step: Arc::clone(step) };
                Some(cx.host.ports.ledger.propose(cx.shared.shard, command))
            }
            Some(Err(_)) | None => None,
        };
        let begun = match begin.await {
            Ok(Applied::Task(record)) => record,
            Ok(_) => self.reread()?,
            Err(error) => return Err(not_begun(cx, &error).await),
        };
        if begun.state != TaskState::Running {
            // The ledger found it expired or out of attempts when it came to begin it, and ended it itself.
            return Err(Halt::Silent);
        }
        self.attempt = begun.attempts;
        run.resume(&cx.task.steps).map_err(|error| Halt::Outcome(Outcome::Failed(error.to_string().into())))?;
        if let Some(retrieved) = first {
            let step = retrieved?;
            match first_step {
                Some(committed) => match committed.await {
                    Ok(_) => {}
                    Err(ProposeError::Busy) => self.commit_step(&step).await?,
                    Err(error) => return Err(self.refused(&error)),
                },
                None => self.commit_step(&step).await?,
            }
            complete(&mut run, &step);
        } else if let Some(text) = run.passages() {
            self.passages = serde_json::from_str(text).map_err(|error| {
                Halt::Outcome(Outcome::Failed(format!("the journaled passages do not read: {error}").into()))
            })?;
        }
        self.remember();
        Ok(run)
    }

    /// Reads the conversation so far. Only after the beginning is committed, because the end of the task before it, which
    /// writes it, may have been in line right in front.
    fn remember(&mut self) {
        let cx = self.run_task;
        if cx.record.spec.agent_type != AgentType::StatefulLoop {
            return;
        }
        let stored = match cx.host.ports.ledger.agent(cx.shared.id) {
            Ok(Some(record)) => record.memory.clone(),
            Ok(None) | Err(_) => cx.record.memory.clone(),
        };
        self.memory = Memory::read(stored.as_deref()).unwrap_or_else(|error| {
            warn!(agent.id = %cx.shared.id, %error, "the agent starts a new conversation");
            Memory::default()
        });
    }

    fn reread(&self) -> Result<Arc<TaskRecord>, Halt> {
        match self.run_task.host.ports.ledger.task(self.run_task.task.id) {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(Halt::Silent),
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Between two steps: here a run stops for a stopping node, and for a budget that its own steps have spent.
    fn at_boundary(&mut self) -> Result<(), Halt> {
        let cx = self.run_task;
        if let Some(reason) = cx.control.interrupted() {
            return Err(Halt::Interrupted(reason));
        }
        if cx.host.is_draining() {
            return Err(Halt::Interrupted(Interrupt::HandBack));
        }
        if !std::mem::take(&mut self.first_call)
            && let BudgetVerdict::Exhausted { detail, .. } =
                cx.host.ports.token_budget.check(cx.shared.id, &cx.record.spec.budget)
        {
            return Err(Halt::Budget(detail));
        }
        Ok(())
    }

    async fn documents(&self) -> Result<Documents, Halt> {
        let cx = self.run_task;
        let blobs = &*cx.host.ports.blobs;
        let load = async {
            let own = cx
                .shared
                .documents
                .get_or_try_init(|| async {
                    cx.host.cache.load(&cx.record.documents, blobs).await.map(Documents::from)
                })
                .await?;
            if self.content.documents.is_empty() {
                return Ok(Arc::clone(own));
            }
            let mut all = own.to_vec();
            all.extend(cx.host.cache.load(&self.content.documents, blobs).await?);
            Ok::<_, DocumentError>(Documents::from(all))
        };
        tokio::select! {
            biased;
            reason = cx.control.until_interrupted() => Err(Halt::Interrupted(reason)),
            loaded = load => loaded.map_err(|error| {
                if error.is_transient() {
                    Halt::Transient(error.to_string(), None)
                } else {
                    Halt::Outcome(Outcome::Failed(error.to_string().into()))
                }
            }),
        }
    }

    async fn retrieve(&mut self, documents: &Documents, index: u32) -> Result<Arc<StepRecord>, Halt> {
        let cx = self.run_task;
        let started = cx.host.clock.now();
        let top_k = usize::try_from(cx.record.spec.rag.top_k).unwrap_or(usize::MAX);
        let bytes: usize = documents.iter().map(|(_, text)| text.len()).sum();
        self.passages = if bytes <= INLINE_RETRIEVAL_BYTES {
            cx.host.ports.prompt.select_passages(&self.content.input, documents, top_k)
        } else {
            let (prompt, question) = (Arc::clone(&cx.host.ports.prompt), self.content.input.clone());
            let documents = Arc::clone(documents);
            tokio::task::spawn_blocking(move || prompt.select_passages(&question, &documents, top_k))
                .await
                .map_err(|error| Halt::Transient(format!("the retrieval broke off: {error}"), None))?
        };
        let text = serde_json::to_string(&self.passages).unwrap_or_else(|_| "[]".to_owned());
        Ok(self.step(index, StepKind::Retrieve, "passages".into(), "".into(), started, text.into(), Usage::default()))
    }

    async fn ask(&mut self, run: &Run, call: &Call) -> Result<Arc<StepRecord>, Halt> {
        let cx = self.run_task;
        let index = run.position();
        let started = cx.host.clock.now();
        let request = self.request(run, call, index)?;
        let completion = self.complete(&request, index).await?;
        let text: Arc<str> = match cx.host.ports.security.validate_output(&completion.text) {
            GuardrailVerdict::Pass => completion.text.into(),
            GuardrailVerdict::Redacted { text, rules } => {
                self.redacted.extend(rules);
                text.into()
            }
        };
        let by = completion.by.into();
        Ok(self.step(index, StepKind::Model, Arc::clone(&call.name), by, started, text, completion.usage))
    }

    fn request(&self, run: &Run, call: &Call, index: u32) -> Result<ChatRequest, Halt> {
        let cx = self.run_task;
        let part = call.part.as_ref().map(|part| TaskContent { input: part.clone(), ..self.content.clone() });
        let input = PromptInput {
            spec: &cx.record.spec,
            content: part.as_ref().unwrap_or(&self.content),
            memory: self.memory.turns(),
            passages: &self.passages,
            intent: call.intent,
            earlier: &run.earlier(),
        };
        let mut request = cx
            .host
            .ports
            .prompt
            .render(&input)
            .map_err(|error| Halt::Outcome(Outcome::Failed(error.to_string().into())))?;
        request.key = Some(StepKey { task: cx.task.id, index });
        Ok(request)
    }

    async fn complete(&self, request: &ChatRequest, index: u32) -> Result<Completion, Halt> {
        let cx = self.run_task;
        let (agent, task, messaging) = (cx.shared.id, cx.task.id, &cx.host.ports.messaging);
        let tokens = |piece: &str| {
            if messaging.is_watched(agent, task) {
                messaging.publish(agent, Some(task), EventKind::Token { step: index, text: piece.into() });
            }
        };
        let limit = request.timeout.saturating_mul(CALL_SLACK);
        let llm = self.llm().map_err(llm_halt)?;
        let answered = tokio::select! {
            biased;
            reason = cx.control.until_interrupted() => return Err(Halt::Interrupted(reason)),
            answered = tokio::time::timeout(limit, llm.complete(request, &tokens)) => answered,
        };
        answered.unwrap_or_else(|_| Err(LlmError::Timeout { provider: llm.name().to_owned(), limit })).map_err(llm_halt)
    }

    fn llm(&self) -> Result<&'a Arc<dyn LlmPort>, LlmError> {
        let cx = self.run_task;
        if let Some(llm) = cx.shared.llm.get() {
            return Ok(llm);
        }
        let llm = cx.host.ports.llm_router.resolve(&cx.record.spec.intelligence)?;
        Ok(cx.shared.llm.get_or_init(|| llm))
    }

    #[expect(clippy::too_many_arguments, reason = "a step has that many fields of its own")]
    fn step(
        &self,
        index: u32,
        kind: StepKind,
        name: Arc<str>,
        by: Arc<str>,
        started_at: Timestamp,
        text: Arc<str>,
        usage: Usage,
    ) -> Arc<StepRecord> {
        Arc::new(StepRecord {
            index,
            kind,
            name,
            by,
            attempt: self.attempt,
            epoch: self.run_task.shared.epoch,
            started_at,
            ended_at: self.run_task.host.clock.now(),
            outcome: StepOutcome::Done(text),
            usage,
        })
    }

    async fn commit_step(&self, step: &Arc<StepRecord>) -> Result<(), Halt> {
        let cx = self.run_task;
        let command = Command::Step { task: cx.task.id, step: Arc::clone(step) };
        match cx.host.commit(&cx.shared, command).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Commits the last step, where there is one, and the end behind it without waiting in between: the log is ordered.
    async fn finish(&mut self, text: &str, last: Option<Arc<StepRecord>>) -> Result<(), Halt> {
        let cx = self.run_task;
        let step = last.map(|step| {
            let usage = step.usage;
            (usage, cx.host.ports.ledger.propose(cx.shared.shard, Command::Step { task: cx.task.id, step }))
        });
        let result = match cx.result(text, &self.redacted) {
            Ok(message) => Outcome::Succeeded(Arc::new(message)),
            Err(why) => Outcome::Failed(why.into()),
        };
        let memory = (cx.record.spec.agent_type == AgentType::StatefulLoop).then(|| {
            self.memory.remember(&self.content.input, text);
            Arc::<str>::from(self.memory.to_text())
        });
        let end = cx.end_command(result, memory);
        let ended = cx.host.ports.ledger.propose(cx.shared.shard, end.clone());
        if cx.sequential {
            cx.control.seal();
            cx.shared.cast(AgentMsg::Sealed);
        }
        let step_lost = match step {
            None => None,
            Some((usage, committed)) => committed.await.err().map(|error| (usage, error)),
        };
        let ended = match ended.await {
            Err(ProposeError::Busy) => cx.host.commit(&cx.shared, end).await,
            other => other,
        };
        match ended {
            Ok(_) => {
                if let Some((usage, error)) = step_lost {
                    // The answer is safe; what it cost must still count.
                    warn!(task.id = %cx.task.id, %error, "the last step is missing from the journal");
                    let spent = Command::RecordUsage { agent: cx.shared.id, usage, now: cx.host.clock.now() };
                    let _ = cx.host.commit(&cx.shared, spent).await;
                }
                Ok(())
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    fn refused(&self, error: &ProposeError) -> Halt {
        warn!(task.id = %self.run_task.task.id, %error, "the ledger does not take the run any further");
        Halt::Silent
    }

    /// Ends what could not be finished; whether that is a failure.
    async fn halt(&mut self, halt: Halt) -> bool {
        let cx = self.run_task;
        match halt {
            Halt::Silent => false,
            Halt::Interrupted(reason) => {
                if let Some(outcome) = reason.outcome() {
                    cx.end(outcome).await;
                }
                false
            }
            Halt::Budget(detail) => {
                cx.pause_for_budget(&detail).await;
                cx.end(Outcome::HandedBack).await;
                false
            }
            Halt::Outcome(outcome) => {
                cx.end(outcome).await;
                true
            }
            Halt::Transient(why, asked) => {
                let outcome = self.wait_for_retry(why, asked).await;
                if let Some(outcome) = outcome {
                    cx.end(outcome).await;
                }
                true
            }
        }
    }

    /// Waits before the task goes back into its mailbox, without a permit and without the actor. Whoever pauses or stops
    /// the agent meanwhile does not wait.
    async fn wait_for_retry(&mut self, why: String, asked: Option<Duration>) -> Option<Outcome> {
        let cx = self.run_task;
        self.permit = None;
        debug!(task.id = %cx.task.id, attempt = self.attempt, why, "the attempt failed");
        let retry = Outcome::Retry(why.into());
        if self.attempt >= cx.task.max_attempts {
            return Some(retry);
        }
        tokio::select! {
            biased;
            reason = cx.control.until_interrupted() => match reason {
                Interrupt::HandBack => Some(retry),
                Interrupt::Cancel | Interrupt::Stop | Interrupt::Fence => reason.outcome(),
            },
            () = tokio::time::sleep(cx.host.backoff().wait(cx.task.id, self.attempt, asked)) => Some(retry),
        }
    }
}

async fn not_begun(cx: &RunTask, error: &ProposeError) -> Halt {
    debug!(task.id = %cx.task.id, %error, "the task could not be begun");
    tokio::select! {
        biased;
        _ = cx.control.until_interrupted() => {}
        () = tokio::time::sleep(REFUSED_PAUSE) => {}
    }
    Halt::Silent
}

fn llm_halt(error: LlmError) -> Halt {
    let asked = match &error {
        LlmError::RateLimited { retry_after, .. } => *retry_after,
        LlmError::Unauthorized { .. }
        | LlmError::Rejected { .. }
        | LlmError::Timeout { .. }
        | LlmError::Unavailable { .. }
        | LlmError::Exhausted { .. }
        | LlmError::UnknownProvider { .. } => None,
    };
    if error.is_transient() {
        Halt::Transient(error.to_string(), asked)
    } else {
        Halt::Outcome(Outcome::Failed(error.to_string().into()))
    }
}

fn done_text(step: &StepRecord) -> Arc<str> {
    match &step.outcome {
        StepOutcome::Done(text) | StepOutcome::Failed(text) => Arc::clone(text),
    }
}

fn complete(run: &mut Run, step: &StepRecord) {
    run.complete(Done { kind: step.kind, name: Arc::clone(&step.name), text: done_text(step) });
}
