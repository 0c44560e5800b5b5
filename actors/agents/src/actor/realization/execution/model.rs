//! What a run asks a model, and what it makes of the answer.

use super::{Execution, Halt};
use crate::actor::essence::{Call, Run};
use octopussy_core::ports::{ChatRequest, Completion, EventKind, GuardrailVerdict, LlmError, LlmPort, PromptInput};
use octopussy_core::task::{Outcome, StepKey, StepKind, StepRecord, TaskContent};
use std::sync::Arc;

/// How many times its own bound a call may take in all before it is given up: the router tries a primary and a fallback,
/// each several times, each with the agent's bound.
const CALL_SLACK: u32 = 8;

impl<'a> Execution<'a> {
    pub(super) async fn ask(&mut self, run: &Run, call: &Call) -> Result<Arc<StepRecord>, Halt> {
        let cx = self.run_task;
        let index = run.position();
        let started = cx.host.clock.now();
        let request = self.request(run, call, index)?;
        if !self.run_task.host.may_act(&self.run_task.shared).await {
            return Err(Halt::Silent);
        }
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
        request.trace = Some(cx.task.message.trace_id());
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
        if let Some(llm) = cx.material.llm.get() {
            return Ok(llm);
        }
        let llm = cx.host.ports.llm_router.resolve(&cx.record.spec.intelligence)?;
        Ok(cx.material.llm.get_or_init(|| llm))
    }
}

fn llm_halt(error: LlmError) -> Halt {
    match error.retry_after().filter(|wait| !wait.is_zero()) {
        Some(wait) => Halt::Postponed(error.to_string(), wait),
        None if error.is_transient() => Halt::Transient(error.to_string()),
        None => Halt::Outcome(Outcome::Failed(error.to_string().into())),
    }
}
