//! The bounds, each with its reason.

use std::time::Duration;

/// The most copies of a blob that a writer waits for: as many as a shard has replicas.
pub(crate) const MOST_COPIES: usize = 3;

/// How much of a blob travels in one frame: small enough that a lost connection wastes little, large enough that frames
/// cost nothing.
pub(crate) const CHUNK_BYTES: usize = 512 * 1024;

/// How long after it was last stored a blob is kept whether or not anything names it: what is stored is named within the
/// minute, and a day leaves room for clocks that are wrong.
pub(crate) const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long without a break nothing here must name a blob before it goes: a shard that has moved names its blobs at its
/// new place, and is fetched for there, long before that.
pub(crate) const UNNAMED_FOR: Duration = Duration::from_secs(2 * 60 * 60);

/// How many blobs are removed at once: what the question for them takes in one frame.
pub(crate) const REMOVED_AT_ONCE: usize = 1_024;

/// How many contents this node sends or takes for others at once; each may hold 32 MiB.
pub(crate) const SERVED_AT_ONCE: usize = 4;

/// How many contents this node fetches or copies to others at once; each may hold 32 MiB.
pub(crate) const ASKED_AT_ONCE: usize = 4;

/// How long a question about a blob may take: it costs a look at a file.
pub(crate) const QUESTION_LIMIT: Duration = Duration::from_secs(2);

/// How long one content may take from node to node: 32 MiB over a wireless link.
pub(crate) const TRANSFER_LIMIT: Duration = Duration::from_secs(30);
