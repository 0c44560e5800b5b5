//! The run of one task: which step comes next, given the pattern of reasoning and the journal so far.

use super::plan_parts;
use octopussy_core::agent::{Pattern, Reasoning};
use octopussy_core::ports::Intent;
use octopussy_core::task::{MAX_JOURNAL_BYTES, StepKind, StepOutcome, StepRecord};
use std::sync::Arc;

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What it was.
    pub kind: StepKind,
    /// What it was for.
    pub name: Arc<str>,
    /// What it yielded.
    pub text: Arc<str>,
}

/// A model call that comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its step's name.
    pub name: Arc<str>,
    /// What it is for.
    pub intent: Intent,
    /// The part of the plan it works on, in place of the task's own words.
    pub part: Option<String>,
    /// Whether its answer is the run's answer, so that the end can follow in the same breath.
    pub last: bool,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Look up passages; the step is called `passages`.
    Retrieve,
    /// Ask the model.
    Call(Call),
    /// The answer.
    Finish(Arc<str>),
    /// It cannot go on.
    Fail(String),
}

/// The journal does not fit the run: the agent was changed, or the program was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {index} of the journal is '{found}', this run would do '{expected}' there: submit the task again")]
pub struct JournalMismatch {
    /// Which step.
    pub index: u32,
    /// What the journal has.
    pub found: String,
    /// What the run would do.
    pub expected: String,
}

/// The run of one task, as a state machine over its completed steps.
#[derive(Debug, Clone)]
pub struct Run {
    pattern: Pattern,
    limit: u32,
    retrieves: bool,
    done: Vec<Done>,
}

impl Run {
    /// A run from its beginning. `retrieves`: there are documents to look into.
    #[must_use]
    pub const fn new(reasoning: &Reasoning, retrieves: bool) -> Self {
        Self { pattern: reasoning.pattern, limit: reasoning.max_iterations, retrieves, done: Vec::new() }
    }

    /// Takes over the steps that an earlier attempt completed; they are not done again.
    ///
    /// # Errors
    /// [`JournalMismatch`]; the run is then of no use.
    pub fn resume(&mut self, journal: &[Arc<StepRecord>]) -> Result<(), JournalMismatch> {
        for step in journal {
            let expected = match self.next() {
                Next::Retrieve => (StepKind::Retrieve, "passages".to_owned()),
                Next::Call(call) => (StepKind::Model, call.name.to_string()),
                Next::Finish(_) => (StepKind::Message, "the result".to_owned()),
                Next::Fail(why) => (StepKind::Message, why),
            };
            let text = match &step.outcome {
                StepOutcome::Done(text) => text,
                StepOutcome::Failed(why) => {
                    return Err(self.mismatch(format!("{} (failed: {why})", step.name), expected.1));
                }
            };
            if step.index != self.position() || step.kind != expected.0 || *step.name != *expected.1 {
                return Err(self.mismatch(step.name.to_string(), expected.1));
            }
            self.complete(Done { kind: step.kind, name: Arc::clone(&step.name), text: Arc::clone(text) });
        }
        Ok(())
    }

    /// Takes a step that was just done.
    pub fn complete(&mut self, step: Done) {
        self.done.push(step);
    }

    /// The index of the next step.
    #[must_use]
    pub fn position(&self) -> u32 {
        u32::try_from(self.done.len()).unwrap_or(u32::MAX)
    }

    /// The completed steps.
    #[must_use]
    pub fn done(&self) -> &[Done] {
        &self.done
    }

    /// What the completed model calls yielded, as (name, text).
    #[must_use]
    pub fn earlier(&self) -> Vec<(String, String)> {
        self.models().map(|step| (step.name.to_string(), step.text.to_string())).collect()
    }

    /// What the retrieval yielded, once it is done.
    #[must_use]
    pub fn passages(&self) -> Option<&str> {
        self.done.iter().find(|step| step.kind == StepKind::Retrieve).map(|step| &*step.text)
    }

    /// What comes next.
    #[must_use]
    pub fn next(&self) -> Next {
        let next = self.wanted();
        let bytes: usize = self.done.iter().map(|step| step.text.len()).sum();
        // Before the call is paid for.
        if matches!(next, Next::Call(_)) && bytes > MAX_JOURNAL_BYTES {
            return Next::Fail(format!(
                "the steps of this task have {bytes} bytes together, the limit is {MAX_JOURNAL_BYTES}: split the task"
            ));
        }
        next
    }

    fn wanted(&self) -> Next {
        if self.retrieves && self.passages().is_none() {
            return Next::Retrieve;
        }
        match self.pattern {
            Pattern::Direct => self.sequence(&[("answer", Intent::Answer)]),
            Pattern::Reflection => {
                self.sequence(&[("draft", Intent::Answer), ("review", Intent::Review), ("revise", Intent::Revise)])
            }
            Pattern::PlanAndExecute => self.planned(),
        }
    }

    fn models(&self) -> impl Iterator<Item = &Done> {
        self.done.iter().filter(|step| step.kind == StepKind::Model)
    }

    fn sequence(&self, calls: &[(&str, Intent)]) -> Next {
        let position = self.models().count();
        if let Some(refused) = self.guard(calls.len(), "the pattern of reasoning") {
            return refused;
        }
        match (calls.get(position), self.models().last()) {
            (Some(&(name, intent)), _) => {
                Next::Call(Call { name: name.into(), intent, part: None, last: position + 1 == calls.len() })
            }
            (None, Some(answer)) => Next::Finish(Arc::clone(&answer.text)),
            (None, None) => Next::Fail("the pattern of reasoning has no steps".to_owned()),
        }
    }

    fn planned(&self) -> Next {
        let Some(plan) = self.models().next() else {
            return self.guard(3, "a plan with one part").unwrap_or_else(|| {
                Next::Call(Call { name: "plan".into(), intent: Intent::Plan, part: None, last: false })
            });
        };
        let mut parts = plan_parts(&plan.text);
        if let Some(refused) = self.guard(parts.len() + 2, &format!("the plan with its {} parts", parts.len())) {
            return refused;
        }
        let position = self.models().count() - 1;
        if position < parts.len() {
            let name = format!("part-{}", position + 1).into();
            return Next::Call(Call {
                name,
                intent: Intent::Answer,
                part: Some(parts.swap_remove(position)),
                last: false,
            });
        }
        match self.models().nth(parts.len() + 1) {
            Some(synthesis) => Next::Finish(Arc::clone(&synthesis.text)),
            None => Next::Call(Call { name: "synthesis".into(), intent: Intent::Synthesize, part: None, last: true }),
        }
    }

    /// The loop guard: refuses as soon as it is known that more calls are needed than allowed, not only after they were paid.
    fn guard(&self, needed: usize, what: &str) -> Option<Next> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        (needed > limit).then(|| {
            Next::Fail(format!(
                "loop guard: {what} takes {needed} model calls, the agent allows {limit} a task (reasoning.max_iterations)"
            ))
        })
    }

    fn mismatch(&self, found: String, expected: String) -> JournalMismatch {
        JournalMismatch { index: self.position(), found, expected }
    }
}
