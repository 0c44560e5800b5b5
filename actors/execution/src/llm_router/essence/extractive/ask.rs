//! What is asked.

use octopussy_core::ports::{ChatRequest, ChatTurn, Intent, Role};
use octopussy_core::text::{Sentence, asks_for_summary, sentences};

/// A question longer than this, in bytes, brings its own material.
const LONG: usize = 280;

/// The roles that the turns of a request play.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialogue<'a> {
    /// What is asked.
    pub(super) question: &'a str,
    /// The earlier result that a review, revision or synthesis is about.
    pub(super) draft: Option<&'a str>,
    /// What was said before.
    pub(super) history: &'a [ChatTurn],
}

impl<'a> Dialogue<'a> {
    /// An answer's question is the last turn. A review, a revision and a synthesis end with an instruction, before it the model's own
    /// result, before that the question.
    pub(super) fn of(request: &'a ChatRequest) -> Self {
        let turns = request.turns.as_slice();
        let last = turns.len().saturating_sub(1);
        let plain = Self { question: turns.last().map_or("", |turn| &turn.text), draft: None, history: &turns[..last] };
        match request.intent {
            Intent::Answer | Intent::Plan => plain,
            Intent::Review | Intent::Revise | Intent::Synthesize => {
                let draft = match turns {
                    [.., draft, _] if draft.role == Role::Assistant => &draft.text,
                    _ => return plain_without_instruction(turns).unwrap_or(plain),
                };
                let before = &turns[..turns.len() - 2];
                let question = before.iter().rposition(|turn| turn.role == Role::User);
                Self {
                    question: question.map_or("", |at| &before[at].text),
                    draft: Some(draft),
                    history: &before[..question.unwrap_or(0)],
                }
            }
        }
    }
}

/// Question and instruction without a result between them.
fn plain_without_instruction(turns: &[ChatTurn]) -> Option<Dialogue<'_>> {
    let at = turns.len().checked_sub(2)?;
    Some(Dialogue { question: &turns[at].text, draft: None, history: &turns[..at] })
}

/// A question, apart from the material that came in the same text.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// The sentences that ask.
    pub(super) question: String,
    /// The sentences that are material.
    pub(super) material: Vec<Sentence<'a>>,
    /// Whether a summary is asked for.
    pub(super) summary: bool,
}

/// Words at which a sentence that tells what to do begins, lower-case.
const COMMANDS: &[&str] = &[
    "answer",
    "beschreibe",
    "compare",
    "describe",
    "erkläre",
    "explain",
    "extract",
    "fasse",
    "find",
    "finde",
    "give",
    "liste",
    "list",
    "name",
    "nenne",
    "outline",
    "summarise",
    "summarize",
    "tell",
    "vergleiche",
    "write",
];

impl<'a> Ask<'a> {
    /// Takes a text apart. A short text is all question; of a long one, the sentences that ask or command are, and when there is
    /// none, the first.
    pub(super) fn of(text: &'a str) -> Self {
        let all = sentences(text);
        let asks = |sentence: &Sentence<'_>| {
            let first =
                sentence.text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
            sentence.text.ends_with(['?', '？']) || COMMANDS.contains(&first.to_lowercase().as_str())
        };
        let (question, material) = if text.len() <= LONG && all.len() <= 3 {
            (text.trim().to_owned(), Vec::new())
        } else {
            let (mut question, mut material): (Vec<_>, Vec<_>) = all.into_iter().partition(asks);
            if question.is_empty() && !material.is_empty() {
                question.push(material.remove(0));
            }
            (question.iter().map(|sentence| sentence.text).collect::<Vec<_>>().join(" "), material)
        };
        let summary = asks_for_summary(&question);
        Self { question, material, summary }
    }
}
