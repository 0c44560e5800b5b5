//! Whether what a leader sends contradicts what a replica has taken for committed. Raft rules it out, and openraft asserts it: it
//! happens where disks have lost what made a majority. The replica is begun anew then, instead of being ended by it again and again.

use super::wire::GroupFault;
use crate::groups::group::Group;
use crate::raft::TypeConfig;
use openraft::alias::{LogIdOf, VoteOf};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::AppendEntriesRequest;

type LogId = LogIdOf<TypeConfig>;

/// Whether an entry that a leader has is another than the one that was committed in its place, or comes before it and is of a later term.
fn contradicts(committed: LogId, entry: LogId) -> bool {
    entry.index <= committed.index && (entry > committed || (entry.index == committed.index && entry != committed))
}

impl Group {
    /// Refuses entries that contradict what is committed here.
    pub(super) fn agrees_with(&self, request: &AppendEntriesRequest<TypeConfig>) -> Result<(), GroupFault> {
        let entries = request.entries.iter().map(|entry| entry.log_id);
        self.agrees(&request.vote, request.prev_log_id.into_iter().chain(entries))
    }

    /// Refuses a snapshot that does.
    pub(super) fn agrees_with_snapshot(
        &self,
        vote: &VoteOf<TypeConfig>,
        last: Option<LogId>,
    ) -> Result<(), GroupFault> {
        self.agrees(vote, last.into_iter())
    }

    fn agrees(&self, vote: &VoteOf<TypeConfig>, mut sent: impl Iterator<Item = LogId>) -> Result<(), GroupFault> {
        let committed = self.raft().data_metrics().borrow_watched().local_committed;
        let Some(committed) = committed.filter(|committed| sent.any(|entry| contradicts(*committed, entry))) else {
            return Ok(());
        };
        // A leader of the past may have what was never committed. It is refused for that.
        let present = self.context().log.group(self.id()).vote();
        if present.is_some_and(|present| *vote < present) {
            return Ok(());
        }
        if self.note_astray() {
            tracing::error!(
                group = %self.id(), %committed,
                "this replica has taken something for committed that its leader does not have: it is begun anew; look at the disks \
                 of the group's members, and never start an older copy of a home"
            );
        }
        Err(GroupFault::Astray(self.id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::seeds::log_id;

    #[test]
    fn what_follows_what_is_committed_or_is_a_part_of_it_agrees() {
        let committed = log_id(4, 20);
        for entry in [log_id(4, 20), log_id(4, 19), log_id(2, 3), log_id(4, 21), log_id(6, 21)] {
            assert!(!contradicts(committed, entry), "{entry}");
        }
        for entry in [log_id(3, 20), log_id(5, 20), log_id(5, 3)] {
            assert!(contradicts(committed, entry), "{entry}");
        }
    }
}
