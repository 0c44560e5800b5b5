//! A door for the fuzz targets: calls of other nodes to models of this one, and their answers.

use super::peer_wire::{PeerAnswer, decode, decode_call, encode, encode_call};

/// A frame; the first byte says of which kind.
///
/// # Panics
/// When one that was read cannot be written, or what was written is read as another.
pub fn frames(bytes: &[u8]) {
    let Some((&kind, frame)) = bytes.split_first() else { return };
    match kind {
        0 => call(frame),
        1 => answer(frame),
        2..=u8::MAX => {}
    }
}

fn call(frame: &[u8]) {
    let Ok((call, context)) = decode_call(frame) else { return };
    let written = encode_call(&call, &context).expect("what was read can be written");
    let (call, context) = decode_call(&written).expect("what was written can be read");
    assert!(encode_call(&call, &context).is_ok_and(|rewritten| rewritten == written), "it is read as something else");
}

fn answer(frame: &[u8]) {
    let Ok(answer) = decode::<PeerAnswer>(frame) else { return };
    let written = encode(&answer).expect("what was read can be written");
    let again: PeerAnswer = decode(&written).expect("what was written can be read");
    assert!(encode(&again).is_ok_and(|rewritten| rewritten == written), "it is read as something else");
}

#[cfg(test)]
mod tests {
    use super::super::peer_wire::{CallContext, Lent, PeerCall};
    use super::*;
    use octopussy_core::agent::Usage;
    use octopussy_core::ports::{ChatRequest, ChatTurn, Completion, Intent, LlmError, Passage, Role};
    use octopussy_corpus::replay;
    use serde::Serialize;
    use std::time::Duration;

    fn of_kind<T: Serialize>(kind: u8, frame: &T) -> Vec<u8> {
        [&[kind][..], &encode(frame).unwrap()].concat()
    }

    #[test]
    fn the_corpus_passes() {
        let request = ChatRequest {
            model: Some("qwen3:8b".to_owned()),
            system: "You help.".to_owned(),
            passages: vec![Passage {
                source: "guide.md".to_owned(),
                line: 3,
                text: "Hearts: three.".to_owned(),
                suspicious: false,
            }],
            earlier: Vec::new(),
            constraints: Vec::new(),
            turns: vec![ChatTurn { role: Role::User, text: "How many hearts?".to_owned() }],
            intent: Intent::Answer,
            temperature: 0.5,
            max_tokens: 512,
            json: false,
            timeout: Duration::from_secs(60),
            key: None,
            trace: None,
        };
        let usage = Usage { prompt_tokens: 10, completion_tokens: 5, cost_micros: 7 };
        let completion = Completion { text: "Three.".to_owned(), by: "ollama/qwen3:8b".to_owned(), usage };
        let busy = LlmError::RateLimited { provider: "ollama".to_owned(), retry_after: Some(Duration::from_secs(3)) };
        let lent = Lent { provider: "ollama".to_owned(), model: "qwen3:8b".to_owned() };
        let call = PeerCall { lent, request };
        let context = CallContext { trace: "4bf92f35-77b3-4da6-a3ce-929d0e0e4736".parse().ok() };
        let seeds = [
            ("call", of_kind(0, &call)),
            ("traced", of_kind(0, &(&call, context))),
            ("piece", of_kind(1, &PeerAnswer::Piece("Thr".to_owned()))),
            ("done", of_kind(1, &PeerAnswer::Done(completion))),
            ("failed", of_kind(1, &PeerAnswer::Failed(busy))),
        ];
        replay("models", frames, &seeds);
    }
}
