//! The embedded model: it does not write, it finds. It ranks the sentences of the material it is given and quotes those that fit, each
//! with its source and line. The same request always gets the same answer; there is nothing to download and nothing to pay.

mod ask;
mod central;
mod compose;
mod cues;
#[cfg(test)]
mod evaluation;
mod intents;
mod material;
mod rank;
mod score;
#[cfg(test)]
mod tests;

use octopussy_core::ports::{ChatRequest, Intent};

/// The line that opens every answer made of quotes.
pub const NOTICE: &str = "These are quotes from the material; no language model wrote this answer.";
/// What is said when nothing fits.
pub const NOTHING: &str =
    "The material holds nothing on this question; no language model is configured that could say more.";

/// Answers a request, by its intent.
#[must_use]
pub fn answer(request: &ChatRequest) -> String {
    let dialogue = ask::Dialogue::of(request);
    match (request.intent, dialogue.draft) {
        (Intent::Plan, _) => intents::plan(dialogue.question),
        (Intent::Review, Some(draft)) => intents::review(request, dialogue.question, draft),
        (Intent::Revise, Some(draft)) => intents::revise(request, dialogue.question, draft),
        (Intent::Synthesize, Some(parts)) => intents::synthesize(request, parts),
        // Without something to review, revise or bring together, the question is all there is.
        (Intent::Answer | Intent::Review | Intent::Revise | Intent::Synthesize, _) => {
            let ask = ask::Ask::of(dialogue.question);
            compose::write(request, &rank::best(request, &ask, &dialogue))
        }
    }
}

/// About how many tokens a text is.
#[must_use]
pub fn tokens(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX)
}

/// About how many tokens a request is.
#[must_use]
pub fn request_tokens(request: &ChatRequest) -> u64 {
    let passages: u64 = request.passages.iter().map(|passage| tokens(&passage.text)).sum();
    let turns: u64 = request.turns.iter().map(|turn| tokens(&turn.text)).sum();
    let earlier: u64 = request.earlier.iter().map(|(name, text)| tokens(name) + tokens(text)).sum();
    let constraints: u64 = request.constraints.iter().map(|constraint| tokens(constraint)).sum();
    tokens(&request.system) + passages + earlier + constraints + turns
}

/// The answer in the pieces in which it is streamed: its lines. Together they are the answer.
pub fn pieces(answer: &str) -> impl Iterator<Item = &str> {
    answer.split_inclusive('\n')
}
