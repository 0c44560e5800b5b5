//! The end of the log, where frames are written.

use super::directory::Directory;
use super::frame;
use super::segment::{FIRST, Segment, SegmentHead};
use super::{ALLOCATION_BYTES, SEGMENT_BYTES};
use crate::StoreError;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The newest segment, and where the next frame goes.
pub(super) struct Tail {
    pub(super) segment: Arc<Segment>,
    /// Where the next frame begins.
    end: u64,
    /// How far space is allocated.
    allocated: u64,
    /// The number of the next frame.
    next: u64,
    /// The number of the last frame that is on the disk.
    durable: u64,
    /// Whether nothing may be appended to it any more.
    sealed: bool,
}

impl Tail {
    /// Begins a segment. Frames before its first are on the disk.
    pub(super) fn begin(directory: &Directory, head: SegmentHead) -> Result<Self, StoreError> {
        let segment = Arc::new(Segment::create(directory.segment(head.number), head)?);
        directory.sync()?;
        let (next, durable) = (head.first, head.first.saturating_sub(1));
        Ok(Self { segment, end: FIRST, allocated: FIRST, next, durable, sealed: false })
    }

    /// Stands at the end of a segment of an earlier life, behind which the next one will be begun: not yet, so that a store
    /// can be opened and read while its disk is full.
    pub(super) const fn behind(segment: Arc<Segment>, end: u64, next: u64) -> Self {
        Self { segment, end, allocated: end, next, durable: next.saturating_sub(1), sealed: true }
    }

    /// Whether a frame of this length is to go into the next segment.
    pub(super) const fn is_full(&self, frame: usize) -> bool {
        self.sealed || (self.end > FIRST && self.end + frame as u64 > SEGMENT_BYTES)
    }

    /// Ends the segment and begins the next.
    pub(super) fn roll(&mut self, directory: &Directory) -> Result<(), StoreError> {
        self.sync()?;
        let number = self.segment.head.number + 1;
        let next = Self::begin(directory, SegmentHead { number, first: self.next, before_ends: self.end })?;
        self.segment.trim(self.end);
        *self = next;
        Ok(())
    }

    /// Writes the frame in `buffer`, whose payload stands behind the room for its head. Answers with where the payload begins.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>) -> Result<u64, StoreError> {
        let payload = buffer.len() - frame::HEAD;
        let length = u32::try_from(payload).map_err(|_| too_long(&self.segment))?;
        frame::seal(buffer, length, self.next, self.durable);
        let end = self.end + buffer.len() as u64;
        if end > self.allocated {
            let allocated = end.next_multiple_of(ALLOCATION_BYTES);
            self.segment.allocate(self.allocated, allocated)?;
            self.allocated = allocated;
        }
        self.segment.file.write_all_at(buffer, self.end).map_err(|error| StoreError::io(self.segment.path(), error))?;
        let begins = self.end + frame::HEAD as u64;
        self.end = end;
        self.next += 1;
        Ok(begins)
    }

    /// Brings everything that was appended to the disk.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        if self.durable + 1 < self.next {
            self.segment.file.sync_data().map_err(|error| StoreError::io(self.segment.path(), error))?;
            self.durable = self.next - 1;
        }
        Ok(())
    }
}

fn too_long(segment: &Segment) -> StoreError {
    StoreError::io(segment.path(), std::io::Error::other("a batch is longer than 4 GiB"))
}
