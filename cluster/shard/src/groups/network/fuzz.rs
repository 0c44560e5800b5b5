//! A door for the fuzz targets: Raft's messages as they come from another node.

use super::wire::{self, AppendAnswer, AppendMessage, SnapshotHeader, SnapshotReport, VoteAnswer, VoteFrame};
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
        2 => round_trip::<AppendMessage>(frame),
        3 => round_trip::<AppendAnswer>(frame),
        4 => round_trip::<SnapshotHeader>(frame),
        5 => round_trip::<SnapshotReport>(frame),
        6..=u8::MAX => drop(wire::decode::<VoteFrame>(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Address, AppendFrame, AppendPart, AppendReply, GroupFault};
    use super::*;
    use crate::fuzz::seeds::{ME, entries, log_id};
    use crate::raft::{GroupId, ReplicaIncarnation};
    use bytes::Bytes;
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
        let replica = ReplicaIncarnation(1 << 20);
        let (control, address) = (Address { group: GroupId(0), replica }, Address { group, replica });
        let append = |entries| AppendEntriesRequest { vote, prev_log_id: last, entries, leader_commit: last };
        let seeds = [
            (
                "heartbeats",
                of_kind(0, &VoteFrame::Heartbeats(vec![(control, append(vec![])), (address, append(vec![]))])),
            ),
            ("vote", of_kind(0, &VoteFrame::Vote(address, VoteRequest::new(vote, last)))),
            ("pre-vote", of_kind(0, &VoteFrame::PreVote(address, VoteRequest::new(vote, last)))),
            ("transfer", of_kind(0, &VoteFrame::Transfer(address, TransferLeaderRequest::new(vote, ME, last)))),
            (
                "beat-answers",
                of_kind(
                    1,
                    &VoteAnswer::Heartbeats(vec![Ok(AppendEntriesResponse::Success), Err(GroupFault::Absent(group))]),
                ),
            ),
            ("clock", of_kind(0, &VoteFrame::Clock)),
            ("clock-answer", of_kind(1, &VoteAnswer::Clock(octopussy_core::time::Timestamp::from_millis(1)))),
            ("introduce", of_kind(0, &VoteFrame::Introduce(group))),
            ("renew", of_kind(0, &VoteFrame::Renew(address))),
            ("introduced", of_kind(1, &VoteAnswer::Introduced(Err(GroupFault::Renewed(group, replica))))),
            ("vote-answer", of_kind(1, &VoteAnswer::Vote(Ok(VoteResponse::new(vote, last, true))))),
            ("append", of_kind(2, &AppendMessage::Whole(AppendFrame { address, request: append(entries()) }))),
            (
                "append-part",
                of_kind(
                    2,
                    &AppendMessage::Part(AppendPart {
                        group,
                        number: 9,
                        total: 8,
                        from: 4,
                        bytes: Bytes::from_static(&[1, 2, 3, 4]),
                    }),
                ),
            ),
            ("append-answer", of_kind(3, &AppendAnswer::Ok(AppendReply::Raft(AppendEntriesResponse::Conflict)))),
            (
                "snapshot-header",
                of_kind(
                    4,
                    &SnapshotHeader {
                        address,
                        vote,
                        meta: SnapshotMeta { last_log_id: last, last_membership: Default::default() },
                        length: 4_096,
                    },
                ),
            ),
            ("snapshot-answer", of_kind(5, &SnapshotReport::Answer(Ok(SnapshotResponse::new(vote))))),
            ("snapshot-working", of_kind(5, &SnapshotReport::Working(9))),
        ];
        replay("raft_frames", raft_frames, &seeds);
    }
}
