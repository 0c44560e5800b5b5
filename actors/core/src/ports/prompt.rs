//! Prompt templates.

use super::{ChatRequest, Intent, Passage};
use crate::agent::AgentSpec;
use crate::contract::{Port, PortId};
use crate::task::TaskContent;

/// A template is unknown or does not render.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// No such template.
    #[error("there is no prompt template '{0}'")]
    Unknown(String),
    /// A variable the template uses was not given.
    #[error("prompt template '{template}', line {line}: the variable '{variable}' is not known")]
    UnknownVariable {
        /// Which template.
        template: String,
        /// Where in it.
        line: u32,
        /// What it uses.
        variable: String,
    },
    /// It does not parse.
    #[error("prompt template '{template}', line {line}: {detail}")]
    Syntax {
        /// Which template.
        template: String,
        /// Where in it.
        line: u32,
        /// What is wrong.
        detail: String,
    },
}

/// What a model call is rendered from.
#[derive(Debug, Clone)]
pub struct PromptInput<'a> {
    /// The agent.
    pub spec: &'a AgentSpec,
    /// The task.
    pub content: &'a TaskContent,
    /// What a stateful agent remembers, as turns of (role, text), oldest first.
    pub memory: &'a [(String, String)],
    /// The passages that were found.
    pub passages: &'a [Passage],
    /// What the call is for.
    pub intent: Intent,
    /// What earlier steps of the run yielded, as (name, text).
    pub earlier: &'a [(String, String)],
}

/// Renders prompts.
pub trait PromptPort: Send + Sync {
    /// The request for one model call (without key; its timeout is the agent's).
    fn render(&self, input: &PromptInput<'_>) -> Result<ChatRequest, PromptError>;

    /// The passages of `documents` (name, text) that fit `question` best, best first, at most `top_k`.
    fn select_passages(
        &self,
        question: &str,
        documents: &[(String, std::sync::Arc<str>)],
        top_k: usize,
    ) -> Vec<Passage>;

    /// The templates' names.
    fn list(&self) -> Vec<String>;

    /// Checks a template's text.
    fn validate(&self, name: &str, template: &str) -> Result<(), PromptError>;
}

impl Port for dyn PromptPort {
    const ID: PortId = PortId::Prompt;
}
