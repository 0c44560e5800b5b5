//! A door for the fuzz targets: what is forwarded to this node as a leader, and what leaders answer.

use super::wire::{Answer, ControlAnswer, ControlRequest, Request};
use crate::fuzz::round_trip;

/// A frame; the first byte says of which kind.
///
/// # Panics
/// When one that was read cannot be written, or what was written is read as another.
pub fn forwarded(bytes: &[u8]) {
    let Some((&kind, frame)) = bytes.split_first() else { return };
    match kind {
        0 => round_trip::<Request>(frame),
        1 => round_trip::<Answer>(frame),
        2 => round_trip::<ControlRequest>(frame),
        3 => round_trip::<ControlAnswer>(frame),
        4..=u8::MAX => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{self, ControlRejection, Part, Rejection, Reply};
    use super::*;
    use crate::error::ControlError;
    use crate::fuzz::seeds::{ME, NOW, agent_id, control_command, log_id, task_id};
    use crate::groups::LeaderWord;
    use octopussy_control::ControlRefusal;
    use octopussy_core::ids::ShardId;
    use octopussy_core::ports::{AgentQuery, Asker, ProposeError, TaskQuery};
    use octopussy_core::task::{Command, Refusal};
    use octopussy_corpus::replay;
    use serde::Serialize;
    use std::time::Duration;

    fn of_kind<T: Serialize>(kind: u8, frame: &T) -> Vec<u8> {
        [&[kind][..], &wire::encode(frame).unwrap()].concat()
    }

    #[test]
    fn the_corpus_passes() {
        let (shard, task, agent) = (ShardId(2), task_id(), agent_id());
        let refused = ProposeError::Refused(Refusal::UnknownTask(task));
        let requests = [
            ("propose", Request::Propose(shard, Command::Tick { shard, now: NOW })),
            ("task", Request::Task(task)),
            ("agent", Request::Agent(agent)),
            ("waiting", Request::Waiting(agent)),
            ("tasks", Request::Tasks(vec![shard, ShardId(3)], TaskQuery::default())),
            ("agents", Request::Agents(vec![shard], AgentQuery::default())),
            ("dead-letters", Request::DeadLetters(vec![shard])),
            ("await-end", Request::AwaitEnd(task, Duration::from_secs(30))),
            ("word", Request::Word(3)),
        ];
        let mut seeds: Vec<_> = requests.iter().map(|(name, request)| (*name, of_kind(0, request))).collect();
        seeds.extend([
            ("count", of_kind(1, &Answer::Ok(Reply::Count(3)))),
            (
                "part",
                of_kind(1, &Answer::Ok(Reply::DeadLetters(Part { answer: 2, elsewhere: vec![(shard, Some(ME))] }))),
            ),
            ("not-leader", of_kind(1, &Answer::Err(Rejection::NotLeader(Some(ME))))),
            ("failed", of_kind(1, &Answer::Err(Rejection::Failed(refused)))),
            (
                "word-given",
                of_kind(1, &Answer::Ok(Reply::Word(Some(LeaderWord { at: log_id(4, 16), nodes: [ME].into() })))),
            ),
            ("control", of_kind(2, &ControlRequest::Propose(Asker::Node, control_command()))),
            ("standing", of_kind(2, &ControlRequest::Standing(ME))),
            (
                "control-failed",
                of_kind(
                    3,
                    &ControlAnswer::Err(ControlRejection::Failed(ControlError::Refused(ControlRefusal::TokenUsed))),
                ),
            ),
        ]);
        replay("forwarded", forwarded, &seeds);
    }
}
