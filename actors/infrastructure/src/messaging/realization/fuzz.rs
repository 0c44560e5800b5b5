//! A door for the fuzz targets: what other nodes say about news and agents.

use super::wire::{Answer, Ask, Say, Tell, encode};
use octopussy_core::codec;
use serde::{Serialize, de::DeserializeOwned};

/// A frame; the first byte says of which kind.
///
/// # Panics
/// When one that was read cannot be written, or what was written is read as another.
pub fn frames(bytes: &[u8]) {
    let Some((&kind, frame)) = bytes.split_first() else { return };
    match kind {
        0 => round_trip::<Say>(frame),
        1 => round_trip::<Tell>(frame),
        2 => round_trip::<Ask>(frame),
        3 => round_trip::<Answer>(frame),
        4..=u8::MAX => {}
    }
}

fn round_trip<T: Serialize + DeserializeOwned>(frame: &[u8]) {
    let Ok(value) = codec::decode::<T>(frame) else { return };
    let written = encode(&value).expect("what was read can be written");
    let again: T = codec::decode(&written).expect("what was written can be read");
    assert!(encode(&again).is_some_and(|rewritten| rewritten == written), "it is read as something else");
}

#[cfg(test)]
mod tests {
    use super::super::wire::Frame;
    use super::*;
    use octopussy_core::ids::{AgentId, Epoch};
    use octopussy_core::ports::{Event, EventId, EventKind, Topic};
    use octopussy_core::problem::{Code, Problem};
    use octopussy_core::time::Timestamp;
    use octopussy_corpus::replay;

    fn of_kind<T: Serialize>(kind: u8, frame: &T) -> Vec<u8> {
        [&[kind][..], &encode(frame).unwrap()].concat()
    }

    #[test]
    fn the_corpus_passes() {
        let agent = AgentId::from_name("clerk");
        let id = EventId { epoch: Epoch(3), sequence: 9 };
        let event = Event {
            id,
            at: Timestamp::from_millis(1_800_000_000_000),
            agent,
            task: None,
            kind: EventKind::BudgetExhausted("tokens of an hour".into()),
        };
        let tell = |what| Tell { watch: 4, what };
        let problem = Problem::new(Code::Forbidden, "it is not allowed");
        let seeds = [
            ("watch", of_kind(0, &Say::Watch { watch: 4, topic: Topic::Agent(agent), after: Some(id), credit: 128 })),
            ("unwatch", of_kind(0, &Say::Unwatch { watch: 4 })),
            ("more", of_kind(0, &Say::More { watch: 4, credit: 64 })),
            ("watching", of_kind(1, &tell(Frame::Watching))),
            ("news", of_kind(1, &tell(Frame::News(vec![event])))),
            ("refused", of_kind(1, &tell(Frame::Refused(problem.clone())))),
            ("moved", of_kind(1, &tell(Frame::Moved))),
            ("live", of_kind(2, &Ask::Live(vec![agent]))),
            ("handled", of_kind(3, &Answer::Handled(Err(problem)))),
            ("handling", of_kind(3, &Answer::Handling)),
        ];
        replay("messaging", frames, &seeds);
    }
}
