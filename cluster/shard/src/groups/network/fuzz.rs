//! A door for the fuzz targets: Raft's messages as they come from another node.

use super::wire::{self, AppendAnswer, AppendFrame, SnapshotAnswer, SnapshotHeader, VoteAnswer, VoteFrame};
use crate::fuzz::round_trip;

/// A frame; the first byte says of which kind.
///
/// # Panics
/// When one that was read cannot be written, or what was written is read as another.
pub fn raft_frames(bytes: &[u8]) {
    let Some((&kind, frame)) = bytes.split_first() else { return };
    match kind {
        0 => round_trip::<VoteFrame>(frame),
        1 => round_trip::<VoteAnswer>(frame),
        2 => round_trip::<AppendFrame>(frame),
        3 => round_trip::<AppendAnswer>(frame),
        4 => round_trip::<SnapshotHeader>(frame),
        5 => round_trip::<SnapshotAnswer>(frame),
        6..=u8::MAX => drop(wire::decode::<VoteFrame>(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::GroupFault;
    use super::*;
    use crate::fuzz::seeds::{ME, entries, log_id};
    use crate::raft::GroupId;
    use octopussy_corpus::replay;
    use openraft::raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
    };
    use openraft::storage::SnapshotMeta;
    use openraft::vote::Vote;
    use serde::Serialize;

    fn of_kind<T: Serialize>(kind: u8, frame: &T) -> Vec<u8> {
        [&[kind][..], &wire::encode(frame).unwrap()].concat()
    }

    #[test]
    fn the_corpus_passes() {
        let (group, vote, last) = (GroupId(3), Vote::new(4, ME), Some(log_id(4, 16)));
        let append = |entries| AppendEntriesRequest { vote, prev_log_id: last, entries, leader_commit: last };
        let seeds = [
            (
                "heartbeats",
                of_kind(0, &VoteFrame::Heartbeats(vec![(GroupId(0), append(vec![])), (group, append(vec![]))])),
            ),
            ("vote", of_kind(0, &VoteFrame::Vote(group, VoteRequest::new(vote, last)))),
            ("pre-vote", of_kind(0, &VoteFrame::PreVote(group, VoteRequest::new(vote, last)))),
            ("transfer", of_kind(0, &VoteFrame::Transfer(group, TransferLeaderRequest::new(vote, ME, last)))),
            (
                "beat-answers",
                of_kind(
                    1,
                    &VoteAnswer::Heartbeats(vec![Ok(AppendEntriesResponse::Success), Err(GroupFault::Absent(group))]),
                ),
            ),
            ("vote-answer", of_kind(1, &VoteAnswer::Vote(Ok(VoteResponse::new(vote, last, true))))),
            ("append", of_kind(2, &AppendFrame { group, request: append(entries()) })),
            ("append-answer", of_kind(3, &AppendAnswer::Ok(AppendEntriesResponse::Conflict))),
            (
                "snapshot-header",
                of_kind(
                    4,
                    &SnapshotHeader {
                        group,
                        vote,
                        meta: SnapshotMeta { last_log_id: last, last_membership: Default::default() },
                        length: 4_096,
                    },
                ),
            ),
            ("snapshot-answer", of_kind(5, &SnapshotAnswer::Ok(SnapshotResponse::new(vote)))),
        ];
        replay("raft_frames", raft_frames, &seeds);
    }
}
