//! A log in segment files: every batch is a frame at the end of the newest file, and every key's place is kept in memory.
//!
//! It is made for what is written in order, read seldom and deleted from the front. A commit is one write and one `fdatasync`
//! into space that is allocated already. Its price is the memory for the keys and a start that reads every file once.
//!
//! Segments are only ever deleted from the oldest on, after what still counts in the oldest was appended again; so a
//! deletion, which is a frame too, never disappears before what it deleted. A segment is written in one life of the store
//! only: an opening begins a new one, whose head says how much of the last one counts.

mod codec;
mod directory;
mod frame;
mod index;
mod recovery;
mod segment;
mod snapshot;
mod store;
mod tail;
#[cfg(test)]
mod tests;

pub(crate) use store::SegmentStore;

/// How large a segment gets, unless a single frame is larger: small enough that what is deleted is soon given back.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// In what steps a segment's space is allocated: an idle node takes one of them.
const ALLOCATION_BYTES: u64 = 1024 * 1024;
