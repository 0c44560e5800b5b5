//! The prompt engine as a port.

use super::essence::{Library, TEMPLATES, Template, compose};
use super::realization::IndexCache;
use octopussy_core::ports::{ChatRequest, Passage, PromptError, PromptInput, PromptPort};
use std::sync::Arc;

/// What citations call the agent's own facts.
const BACKGROUND: &str = "memory.md";
/// Facts up to this size all go into every call; of longer ones only the passages that fit.
const WHOLE_BACKGROUND: usize = 8 * 1024;
/// How many passages of long facts go into a call.
const BACKGROUND_PASSAGES: usize = 8;

/// The handle on the prompt engine. Cloning is cheap.
#[derive(Clone)]
pub struct PromptHandle {
    library: Arc<Library>,
    cache: Arc<IndexCache>,
}

impl PromptHandle {
    pub(super) fn new(library: Library) -> Self {
        Self { library: Arc::new(library), cache: Arc::default() }
    }

    fn background(&self, text: &str, question: &str) -> Vec<Passage> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        if text.len() <= WHOLE_BACKGROUND {
            return vec![Passage { source: BACKGROUND.to_owned(), line: 1, text: text.to_owned(), suspicious: false }];
        }
        let documents = [(BACKGROUND.to_owned(), Arc::from(text))];
        self.cache.of(&documents).search(question, BACKGROUND_PASSAGES)
    }
}

impl PromptPort for PromptHandle {
    fn render(&self, input: &PromptInput<'_>) -> Result<ChatRequest, PromptError> {
        let background = self.background(&input.spec.background, &input.content.input);
        Ok(compose(&self.library, input, background))
    }

    fn select_passages(&self, question: &str, documents: &[(String, Arc<str>)], top_k: usize) -> Vec<Passage> {
        if documents.is_empty() || top_k == 0 { Vec::new() } else { self.cache.of(documents).search(question, top_k) }
    }

    fn list(&self) -> Vec<String> {
        TEMPLATES.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn validate(&self, name: &str, template: &str) -> Result<(), PromptError> {
        if !TEMPLATES.iter().any(|(known, _)| *known == name) {
            return Err(PromptError::Unknown(name.to_owned()));
        }
        Template::parse(name, template).map(drop)
    }
}
