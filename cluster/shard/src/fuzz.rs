//! Doors for the fuzz targets: what comes from other nodes, and what lies in the log and the state.

use crate::raft::{Answers, Entries, TypeConfig};
use octopussy_core::codec;
use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use serde::{Serialize, de::DeserializeOwned};

pub use crate::forward::fuzz::forwarded;
pub use crate::groups::network::fuzz::raft_frames;
pub use crate::raft::machine::fuzz::{snapshot, state};

/// What lies in the log, or is answered from it; the first byte says of which kind.
///
/// # Panics
/// When one that was read cannot be written, or what was written is read as another.
pub fn log(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    match kind {
        0 => round_trip::<EntryOf<TypeConfig>>(bytes),
        1 => round_trip::<VoteOf<TypeConfig>>(bytes),
        2 => round_trip::<LogIdOf<TypeConfig>>(bytes),
        3 => round_trip::<Entries>(bytes),
        4 => round_trip::<Answers>(bytes),
        5..=u8::MAX => {}
    }
}

pub(crate) fn round_trip<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = codec::decode::<T>(bytes) else { return };
    let written = codec::encode(&value).expect("what was read can be written");
    let again: T = codec::decode(&written).expect("what was written can be read");
    assert!(codec::encode(&again).is_ok_and(|rewritten| rewritten == written), "it is read as something else");
}

/// Real values, from which the seeds are made.
#[cfg(test)]
pub(crate) mod seeds {
    use crate::raft::{Entries, TypeConfig};
    use octopussy_control::{ClusterRecord, ControlCommand, MemberRecord, VersionRange};
    use octopussy_core::ids::{AgentId, NodeId, ShardCount, ShardId, TaskId};
    use octopussy_core::ports::{MemberDesired, MemberRole};
    use octopussy_core::task::Command;
    use octopussy_core::time::Timestamp;
    use openraft::alias::{EntryOf, LogIdOf};
    use openraft::vote::leader_id_std::CommittedLeaderId;
    use openraft::{EntryPayload, Membership};
    use std::collections::BTreeSet;
    use std::time::Duration;
    use uuid::Uuid;

    pub(crate) const ME: NodeId = NodeId([7; 16]);
    pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    pub(crate) const fn log_id(term: u64, index: u64) -> LogIdOf<TypeConfig> {
        openraft::LogId { leader_id: CommittedLeaderId { term }, index }
    }

    pub(crate) fn agent_id() -> AgentId {
        AgentId::from_name("clerk")
    }

    pub(crate) fn task_id() -> TaskId {
        TaskId::for_agent(agent_id(), Uuid::from_u128(5))
    }

    pub(crate) fn control_command() -> ControlCommand {
        let cluster =
            ClusterRecord { id: "00".to_owned(), shards: ShardCount::DEFAULT, replication: 3, founded_at: NOW };
        let founder = MemberRecord {
            id: ME,
            name: "attic".to_owned(),
            addresses: vec!["192.0.2.1:47210".parse().unwrap()],
            role: MemberRole::Full,
            desired: MemberDesired::Active,
            capacity: 100,
            zone: Some("house".to_owned()),
            versions: VersionRange { min: 1, max: 1 },
            joined_at: NOW,
        };
        ControlCommand::Found { cluster, founder }
    }

    /// One entry of each kind.
    pub(crate) fn entries() -> Vec<EntryOf<TypeConfig>> {
        let shard = ShardId(2);
        let commands = vec![
            Command::Activate { shard, node: ME, now: NOW, max_age: Duration::from_secs(86_400), boot: 3, gone: true },
            Command::Tick { shard, now: NOW },
        ];
        let voters: BTreeSet<NodeId> = [ME, NodeId([8; 16]), NodeId([9; 16])].into();
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(Entries::Shard(commands)),
            EntryPayload::Normal(Entries::Control(vec![control_command()])),
            EntryPayload::Membership(Membership::new_with_defaults(vec![voters], [])),
        ];
        (17..).zip(payloads).map(|(index, payload)| openraft::Entry { log_id: log_id(4, index), payload }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::seeds::{ME, entries, log_id};
    use super::*;
    use octopussy_core::ids::Epoch;
    use octopussy_core::task::{Applied, Refusal};
    use octopussy_corpus::replay;

    fn of_kind<T: Serialize>(kind: u8, value: &T) -> Vec<u8> {
        [vec![kind], codec::encode(value).unwrap()].concat()
    }

    #[test]
    fn the_corpus_passes() {
        let entries = entries();
        let vote: VoteOf<TypeConfig> = openraft::vote::Vote::new(4, ME);
        let answers =
            Answers::Shard(vec![Ok(Applied::Activated(Epoch(18))), Err(Refusal::UnknownTask(seeds::task_id()))]);
        let seeds = [
            ("blank", of_kind(0, &entries[0])),
            ("commands", of_kind(0, &entries[1])),
            ("control-commands", of_kind(0, &entries[2])),
            ("membership", of_kind(0, &entries[3])),
            ("vote", of_kind(1, &vote)),
            ("log-id", of_kind(2, &log_id(4, 16))),
            ("answers", of_kind(4, &answers)),
        ];
        replay("log", log, &seeds);
    }
}
