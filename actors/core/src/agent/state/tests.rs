//! The whole state machine against its table, written down a second time.

use super::{AgentEvent as E, AgentState as S, IllegalTransition};
use std::collections::BTreeSet;

const EVENTS: [E; 9] = [E::Ready, E::Begin, E::Done, E::Fail, E::Recover, E::Pause, E::Resume, E::Stop, E::Ended];

/// From → every state that may follow.
const TABLE: [(S, &[S]); 7] = [
    (S::Created, &[S::Idle]),
    (S::Idle, &[S::Processing, S::Paused, S::Stopping]),
    (S::Processing, &[S::Idle, S::Error, S::Stopping]),
    (S::Paused, &[S::Idle, S::Stopping]),
    (S::Error, &[S::Idle, S::Stopping]),
    (S::Stopping, &[S::Stopped]),
    (S::Stopped, &[]),
];

#[test]
fn exactly_the_transitions_of_the_table_exist() {
    for (from, allowed) in TABLE {
        let reached: BTreeSet<&str> = EVENTS.iter().filter_map(|event| from.after(*event).ok()).map(S::name).collect();
        let allowed: BTreeSet<&str> = allowed.iter().map(|state| state.name()).collect();
        assert_eq!(reached, allowed, "from {from}");
    }
    assert_eq!(TABLE.map(|(from, _)| from), S::ALL, "the table has every state");
}

#[test]
fn no_event_means_two_things_and_every_refusal_says_what_was_tried() {
    for from in S::ALL {
        for event in EVENTS {
            match from.after(event) {
                Ok(to) => assert_ne!(to, from, "{event} changes something"),
                Err(error) => {
                    assert_eq!(error, IllegalTransition { from, event });
                    assert_eq!(error.to_string(), format!("an agent that is {from} cannot {event}"));
                }
            }
        }
        let legal = EVENTS.iter().filter(|event| from.after(**event).is_ok()).count();
        let targets: BTreeSet<_> = EVENTS.iter().filter_map(|event| from.after(*event).ok()).map(S::name).collect();
        assert_eq!(legal, targets.len(), "two events lead from {from} to the same state");
    }
}

#[test]
fn each_event_does_what_its_name_says() {
    assert_eq!(S::default().after(E::Ready), Ok(S::Idle));
    assert_eq!(S::Idle.after(E::Begin), Ok(S::Processing));
    assert_eq!(S::Processing.after(E::Done), Ok(S::Idle));
    assert_eq!(S::Processing.after(E::Fail), Ok(S::Error));
    assert_eq!(S::Error.after(E::Recover), Ok(S::Idle));
    assert_eq!(S::Idle.after(E::Pause), Ok(S::Paused));
    assert_eq!(S::Paused.after(E::Resume), Ok(S::Idle));
    assert_eq!(S::Stopping.after(E::Ended), Ok(S::Stopped));
    assert!(S::Created.after(E::Stop).is_err(), "what never was ready is not stopped but dropped");
}
