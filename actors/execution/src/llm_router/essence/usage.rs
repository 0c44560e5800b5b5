//! What a call that another node answered has used: its word is taken within what the texts allow.

use super::extractive;
use octopussy_core::agent::Usage;
use octopussy_core::ports::ChatRequest;

/// How many tokens a server may put around what it is asked and what it answers.
const AROUND: u64 = 1_024;

/// A token is hardly less than a byte, and an estimate is of four bytes each.
const FEWEST_BYTES: u64 = 4;

/// A token is hardly more than twice the bytes that the estimate takes it for.
const MOST: u64 = 2;

/// What is counted for a call that another node answered. Its count is believed as far as the texts allow, so that neither a budget
/// is used up by a number, nor nothing is counted at all. What it asks for it is not believed: prices are of this node's table.
#[must_use]
pub fn bounded(told: Usage, request: &ChatRequest, answer: &str) -> Usage {
    let (asked, answered) = (extractive::request_tokens(request), extractive::tokens(answer));
    // A model that thinks says less than it writes, within what it was allowed.
    let most_answered = (answered * FEWEST_BYTES + AROUND).max(u64::from(request.max_tokens));
    Usage {
        prompt_tokens: told.prompt_tokens.clamp(asked / MOST, asked * FEWEST_BYTES + AROUND),
        completion_tokens: told.completion_tokens.clamp(answered / MOST, most_answered),
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ports::{ChatTurn, Intent, Role};
    use proptest::prelude::*;
    use std::time::Duration;

    fn request(text: String) -> ChatRequest {
        ChatRequest {
            model: None,
            system: String::new(),
            passages: Vec::new(),
            earlier: Vec::new(),
            constraints: Vec::new(),
            turns: vec![ChatTurn { role: Role::User, text }],
            intent: Intent::Answer,
            temperature: 0.0,
            max_tokens: 100,
            json: false,
            timeout: Duration::from_secs(1),
            key: None,
            trace: None,
        }
    }

    #[test]
    fn a_number_neither_uses_a_budget_up_nor_spares_it() {
        let asked = request("x".repeat(4_000));
        let answer = "y".repeat(400);
        let liar = Usage { prompt_tokens: u64::MAX, completion_tokens: u64::MAX, cost_micros: u64::MAX };
        let counted = bounded(liar, &asked, &answer);
        assert_eq!((counted.prompt_tokens, counted.completion_tokens, counted.cost_micros), (5_024, 1_424, 0));
        let counted = bounded(Usage::default(), &asked, &answer);
        assert_eq!((counted.prompt_tokens, counted.completion_tokens), (500, 50));
    }

    proptest! {
        #[test]
        fn an_honest_count_is_taken_as_it_is(asked in 40_usize..4_000, answered in 40_usize..4_000, share in 5_usize..10) {
            // Two to four bytes a token.
            let count = |bytes: usize| u64::try_from(bytes * 2 / share).unwrap();
            let told = Usage { prompt_tokens: count(asked), completion_tokens: count(answered), cost_micros: 0 };
            let counted = bounded(told, &request("x".repeat(asked)), &"y".repeat(answered));
            prop_assert_eq!(counted, told);
        }
    }
}
