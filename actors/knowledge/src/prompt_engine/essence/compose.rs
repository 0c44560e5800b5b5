//! From an agent and its task to a request for a model.

use super::{Library, Values, Variable};
use octopussy_core::agent::OutputFormat;
use octopussy_core::ports::{ChatRequest, ChatTurn, Intent, Passage, PromptInput, Role};

/// The request for one model call. `background` are the passages of the agent's own facts; they come after those that were found.
///
/// The standing instruction is the operator's alone: what a task brings, and what earlier steps made of it, goes beside the turns.
/// The conversation is: what the agent remembers, the task's history, the task. A call that is about an earlier result
/// (review, revision, synthesis) goes on with that result as the model's turn and the instruction as the user's.
#[must_use]
pub fn compose(library: &Library, input: &PromptInput<'_>, background: Vec<Passage>) -> ChatRequest {
    let spec = input.spec;
    let mut values = Values::default();
    values.set(Variable::Name, spec.name.as_str());
    values.set(Variable::Description, spec.description.trim().trim_end_matches('.'));
    values.set(Variable::Persona, spec.persona.as_str());
    values.set(Variable::Goal, spec.goal.as_str());
    values.set(Variable::Permissions, spec.permissions_text.as_str());
    values.set(Variable::Format, format_of(spec.output_format));
    values.set(Variable::Input, input.content.input.as_str());
    let draft = draft(input);
    values.set(Variable::Draft, draft.clone());
    let review = input.earlier.iter().rev().find(|(name, _)| name == "review").map_or("", |(_, text)| text.as_str());
    values.set(Variable::Review, review);

    let instruction = library.of(input.intent).render(&values);
    let mut turns: Vec<ChatTurn> =
        input.memory.iter().chain(&input.content.history).map(|(role, text)| turn(role_of(role), text)).collect();
    turns.push(turn(Role::User, &input.content.input));
    match input.intent {
        Intent::Answer | Intent::Plan => values.set(Variable::Instruction, instruction),
        Intent::Review | Intent::Revise | Intent::Synthesize => {
            if !draft.is_empty() {
                turns.push(ChatTurn { role: Role::Assistant, text: draft });
            }
            turns.push(ChatTurn { role: Role::User, text: instruction });
        }
    }
    let mut passages = input.passages.to_vec();
    passages.extend(background);
    ChatRequest {
        model: spec.intelligence.model.clone(),
        system: library.system().render(&values),
        passages,
        earlier: earlier(input),
        constraints: input.content.constraints.iter().map(|constraint| folded(constraint)).collect(),
        turns,
        intent: input.intent,
        temperature: spec.intelligence.temperature,
        max_tokens: spec.intelligence.max_tokens,
        // A plan and a review are read by the runtime as lines, whatever shape the answer has.
        json: spec.output_format == OutputFormat::Json && !matches!(input.intent, Intent::Plan | Intent::Review),
        timeout: spec.call_timeout(),
        key: None,
        trace: None,
    }
}

fn turn(role: Role, text: &str) -> ChatTurn {
    ChatTurn { role, text: text.to_owned() }
}

fn role_of(role: &str) -> Role {
    if role.eq_ignore_ascii_case("assistant") || role.eq_ignore_ascii_case("agent") {
        Role::Assistant
    } else {
        Role::User
    }
}

const fn format_of(format: OutputFormat) -> &'static str {
    match format {
        OutputFormat::Text => "Answer in plain text, without Markdown.",
        OutputFormat::Markdown => "Answer in Markdown.",
        OutputFormat::Json => "Answer with one JSON value and nothing else.",
    }
}

/// On one line: a line of its own could look like a section of somebody else's.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an answer is given of earlier steps. The other calls are about one of them, which is a turn of its own.
fn earlier(input: &PromptInput<'_>) -> Vec<(String, String)> {
    match input.intent {
        Intent::Answer => input.earlier.iter().filter(|(name, _)| name != "passages").cloned().collect(),
        Intent::Plan | Intent::Review | Intent::Revise | Intent::Synthesize => Vec::new(),
    }
}

/// The earlier result that a review, a revision or a synthesis is about.
fn draft(input: &PromptInput<'_>) -> String {
    match input.intent {
        Intent::Answer | Intent::Plan => String::new(),
        Intent::Review | Intent::Revise => {
            let result =
                input.earlier.iter().rev().find(|(name, _)| matches!(name.as_str(), "draft" | "answer" | "revise"));
            result.map_or_else(String::new, |(_, text)| text.clone())
        }
        Intent::Synthesize => {
            let parts = input.earlier.iter().filter(|(name, _)| name != "plan" && name != "passages");
            parts.map(|(_, text)| text.trim()).collect::<Vec<_>>().join("\n\n")
        }
    }
}
