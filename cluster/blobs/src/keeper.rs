//! Sees to it that this node has what it is to have.

use crate::ClusterBlobs;
use crate::limits::{GRACE, REMOVED_AT_ONCE, UNNAMED_FOR};
use octopussy_core::ids::{BlobId, NodeId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// What came of looking for one blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It was here.
    Here,
    /// It was fetched, and is here now.
    Fetched,
    /// No connected node has it.
    Nowhere,
}

/// Fetches the blobs that this node is to have and has not: a copy is lost with its node, and each replica of a shard that
/// has a copy of its own bears the loss of the others. Looks at each content once, so that damage is found and mended.
pub struct BlobKeeper {
    blobs: Arc<ClusterBlobs>,
    /// Those that were here, whole, when they were last looked for.
    whole: BTreeSet<BlobId>,
    /// Old ones here that nothing here names, and since when.
    unnamed: BTreeMap<BlobId, Instant>,
}

impl BlobKeeper {
    /// A keeper that has not looked for anything yet.
    #[must_use]
    pub const fn new(blobs: Arc<ClusterBlobs>) -> Self {
        Self { blobs, whole: BTreeSet::new(), unnamed: BTreeMap::new() }
    }

    /// Looks for those of `named` that are not known to be here, one after the other. Says how many are still missing: they
    /// are looked for again the next time.
    pub async fn look(&mut self, named: &BTreeSet<BlobId>) -> usize {
        self.whole.retain(|id| named.contains(id));
        self.tell(named);
        let mut fetched = 0_usize;
        for id in named.difference(&self.whole).copied().collect::<Vec<_>>() {
            match self.blobs.find(id).await {
                Ok(Found::Nowhere) => warn!(blob = %id, "a document's content is at none of the nodes that answer"),
                Ok(found) => {
                    fetched += usize::from(found == Found::Fetched);
                    self.whole.insert(id);
                }
                Err(error) => debug!(blob = %id, %error, "a copy of a blob could not be made here yet"),
            }
        }
        self.tell(named);
        let missing = named.len() - self.whole.len();
        if fetched > 0 {
            info!(fetched, missing, "copies of documents were made here");
        }
        missing
    }

    /// Lets other nodes know what is still missing here.
    fn tell(&self, named: &BTreeSet<BlobId>) {
        *self.blobs.missing.write() = Some(named.difference(&self.whole).copied().collect());
    }

    /// Removes blobs that nothing names any more: old ones that no shard here has named for a while, as long as no node of
    /// `members` lacks them although it is to have them. While one of those does not answer nothing goes. Says how many went.
    ///
    /// `named` is what [`Self::look`] was last given; `members` are the other nodes that hold replicas.
    pub async fn sweep(&mut self, named: &BTreeSet<BlobId>, members: &[NodeId]) -> usize {
        let old = match self.blobs.local.older_than(GRACE).await {
            Ok(old) => old,
            Err(error) => {
                warn!(%error, "the stored documents cannot be listed");
                return 0;
            }
        };
        let now = Instant::now();
        let old: BTreeSet<BlobId> = old.into_iter().filter(|id| !named.contains(id)).collect();
        self.unnamed.retain(|id, _| old.contains(id));
        for id in old {
            self.unnamed.entry(id).or_insert(now);
        }
        let due = self.unnamed.iter().filter(|(_, since)| now.duration_since(**since) >= UNNAMED_FOR);
        let mut due: Vec<BlobId> = due.map(|(id, _)| *id).take(REMOVED_AT_ONCE).collect();
        for node in members {
            if due.is_empty() {
                return 0;
            }
            let Some(missing) = self.blobs.missing_at(*node, due.clone()).await else { return 0 };
            due.retain(|id| !missing.contains(id));
        }
        let mut removed = 0;
        for id in due {
            match self.blobs.local.remove(id, GRACE).await {
                Ok(gone) => removed += usize::from(gone),
                Err(error) => debug!(blob = %id, %error, "a blob that nothing names could not be removed yet"),
            }
            self.unnamed.remove(&id);
        }
        if removed > 0 {
            info!(removed, "documents that nothing names any more were removed here");
        }
        removed
    }
}
