//! Sees to it that this node has what it is to have.

use crate::ClusterBlobs;
use octopussy_core::ids::BlobId;
use std::collections::BTreeSet;
use std::sync::Arc;
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
}

impl BlobKeeper {
    /// A keeper that has not looked for anything yet.
    #[must_use]
    pub const fn new(blobs: Arc<ClusterBlobs>) -> Self {
        Self { blobs, whole: BTreeSet::new() }
    }

    /// Looks for those of `named` that are not known to be here, one after the other. Says how many are still missing: they
    /// are looked for again the next time.
    pub async fn look(&mut self, named: &BTreeSet<BlobId>) -> usize {
        self.whole.retain(|id| named.contains(id));
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
        let missing = named.len() - self.whole.len();
        if fetched > 0 {
            info!(fetched, missing, "copies of documents were made here");
        }
        missing
    }
}
