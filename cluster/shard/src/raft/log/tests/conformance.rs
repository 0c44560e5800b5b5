//! openraft's own suite for log stores.

use super::super::GroupLog;
use super::machine::Machine;
use super::support::{close, open};
use crate::raft::types::{Answers, Entries, GroupId, TypeConfig};
use futures::{Stream, StreamExt};
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt;
use openraft::{OptionalSend, StorageError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt::{self, Debug};
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// A node's id that can be made from a number, as the suite wants it. It is encoded like the real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Numbered(NodeId);

impl From<u64> for Numbered {
    fn from(number: u64) -> Self {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        Self(NodeId(id))
    }
}

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

openraft::declare_raft_types!(
    SuiteConfig:
        D = Entries,
        R = Answers,
        NodeId = Numbered,
        Node = crate::raft::Replica,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
);

/// The log under test, with the suite's types.
struct Under(GroupLog);

/// A value of the suite's types as one of ours, or the other way round: both are encoded alike.
fn recode<A: Serialize, B: DeserializeOwned>(value: &A) -> B {
    codec::decode(&codec::encode(value).unwrap()).unwrap()
}

impl RaftLogReader<SuiteConfig> for Under {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<EntryOf<SuiteConfig>>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        Ok(recode(&self.0.try_get_log_entries(range).await?))
    }

    async fn read_vote(&mut self) -> Result<Option<VoteOf<SuiteConfig>>, io::Error> {
        Ok(recode(&self.0.read_vote().await?))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<EntryOf<SuiteConfig>>, io::Error> {
        Ok(recode(&self.0.limited_get_log_entries(start, end).await?))
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<EntryOf<SuiteConfig>, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        self.0.entries_stream(range).await.map(|entry| entry.map(|entry| recode(&entry)))
    }
}

impl RaftLogStorage<SuiteConfig> for Under {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<SuiteConfig>, io::Error> {
        let state = self.0.get_log_state().await?;
        Ok(LogState { last_purged_log_id: recode(&state.last_purged_log_id), last_log_id: recode(&state.last_log_id) })
    }

    async fn get_log_reader(&mut self) -> Self {
        Self(self.0.get_log_reader().await)
    }

    async fn save_vote(&mut self, vote: &VoteOf<SuiteConfig>) -> Result<(), io::Error> {
        self.0.save_vote(&recode(vote)).await
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf<SuiteConfig>>) -> Result<(), io::Error> {
        self.0.save_committed(recode(&committed)).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogIdOf<SuiteConfig>>, io::Error> {
        Ok(recode(&self.0.read_committed().await?))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<SuiteConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = EntryOf<SuiteConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<EntryOf<TypeConfig>> = entries.into_iter().map(|entry| recode(&entry)).collect();
        let (told, done) = TypeConfig::oneshot();
        self.0.append(entries, IOFlushed::signal(told)).await?;
        tokio::spawn(async move {
            if let Ok(result) = done.await {
                callback.io_completed(result);
            }
        });
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogIdOf<SuiteConfig>>) -> Result<(), io::Error> {
        self.0.truncate_after(recode(&last)).await
    }

    async fn purge(&mut self, upto: LogIdOf<SuiteConfig>) -> Result<(), io::Error> {
        self.0.purge(recode(&upto)).await
    }
}

/// Gives every check a group of its own in one host, so that groups are seen to be apart.
struct Builder {
    host: Arc<super::super::LogHost>,
    next: AtomicU16,
}

impl StoreBuilder<SuiteConfig, Under, Machine<SuiteConfig>> for Builder {
    async fn build(&self) -> Result<((), Under, Machine<SuiteConfig>), StorageError<SuiteConfig>> {
        let group = GroupId(self.next.fetch_add(1, Ordering::SeqCst));
        Ok(((), Under(self.host.group(group)), Machine::new()))
    }
}

#[tokio::test]
async fn a_log_passes_the_suite_of_openraft() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let builder = Builder { host: Arc::clone(&host), next: AtomicU16::new(0) };
    Suite::test_all(builder).await.unwrap();
    assert!(host.groups_with_data().len() > 20, "the suite has written to many groups");
    close(host).await;
}
