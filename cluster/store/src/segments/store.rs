//! The engine.

use super::SEGMENT_BYTES;
use super::codec::{self, Changes};
use super::directory::Directory;
use super::frame;
use super::recovery::{self, Recovered};
use super::segment::SegmentHead;
use super::snapshot::View;
use super::tail::Tail;
use crate::{Batch, Durability, Operation, Snapshot, Store, StoreError};
use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many segments' worth of what does not count any more may lie about before a segment is moved for it.
const SLACK_SEGMENTS: u64 = 4;

/// A segment in which less than this still counts is moved at once.
const NEARLY_EMPTY: u64 = SEGMENT_BYTES / 8;

/// How many segments are dropped at most when a new one is begun, so that no commit waits for long.
const DROPPED_AT_ONCE: usize = 4;

/// How many bytes of what is moved one frame carries.
const MOVED_BYTES: usize = 1024 * 1024;

/// The log in segment files. Locks are taken in the order `writer`, `view`.
pub(crate) struct SegmentStore {
    directory: Directory,
    writer: Mutex<Writer>,
    view: RwLock<View>,
    failed: AtomicBool,
}

struct Writer {
    tail: Tail,
    /// The frame that is being made.
    buffer: Vec<u8>,
}

impl SegmentStore {
    /// Opens the log in the directory `path`, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let directory = Directory::open(path)?;
        let Recovered { index, mut segments, next, ends } = recovery::read(&directory)?;
        let tail = match segments.last_key_value() {
            Some((_, last)) => Tail::behind(Arc::clone(last), ends, next),
            None => Tail::begin(&directory, SegmentHead { number: 1, first: next, before_ends: 0 })?,
        };
        segments.insert(tail.segment.head.number, Arc::clone(&tail.segment));
        Ok(Self {
            view: RwLock::new(View { index, segments, path: path.to_path_buf() }),
            writer: Mutex::new(Writer { tail, buffer: Vec::new() }),
            directory,
            failed: AtomicBool::new(false),
        })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().to_path_buf()
    }

    /// Writes the payload in the buffer as a frame and takes it up.
    fn append(&self, writer: &mut Writer, durability: Durability) -> Result<(), StoreError> {
        let payload = writer.buffer.len() - frame::HEAD;
        let begins = writer.tail.append(&mut writer.buffer)?;
        if durability == Durability::Fsync {
            writer.tail.sync()?;
        }
        let mut changes = Changes::of(&writer.buffer[frame::HEAD..frame::HEAD + payload]);
        let mut view = self.view.write();
        while let Ok(Some((keyspace, change))) = changes.next() {
            view.index.apply(writer.tail.segment.head.number, begins, keyspace, &change);
        }
        Ok(())
    }

    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let mut writer = self.writer.lock();
        begin(&mut writer.buffer);
        for (keyspace, operation) in batch.operations() {
            // Who deletes nothing need not be remembered; a backward range is no range of a map.
            if matches!(operation, Operation::DeleteRange(range) if range.is_empty()) {
                continue;
            }
            codec::encode(&mut writer.buffer, *keyspace, operation).map_err(|_| self.too_long())?;
        }
        if writer.buffer.len() == frame::HEAD {
            return if durability == Durability::Fsync { writer.tail.sync() } else { Ok(()) };
        }
        if writer.tail.is_full(writer.buffer.len()) {
            let frame = std::mem::take(&mut writer.buffer);
            self.roll(&mut writer)?;
            self.drop_segments(&mut writer)?;
            writer.buffer = frame;
        }
        self.append(&mut writer, durability)
    }

    fn too_long(&self) -> StoreError {
        StoreError::io(self.directory.path(), std::io::Error::other("a key or value is longer than 4 GiB"))
    }

    fn roll(&self, writer: &mut Writer) -> Result<(), StoreError> {
        writer.tail.roll(&self.directory)?;
        let segment = writer.tail.segment.clone();
        self.view.write().segments.insert(segment.head.number, segment);
        Ok(())
    }

    /// Drops the oldest segments as far as little in them still counts, or too much in all of them does not.
    fn drop_segments(&self, writer: &mut Writer) -> Result<(), StoreError> {
        for _ in 0..DROPPED_AT_ONCE {
            let Some(oldest) = self.droppable(&writer.tail) else { return Ok(()) };
            self.keep_of(writer, oldest)?;
            writer.tail.sync()?;
            {
                let mut view = self.view.write();
                view.segments.remove(&oldest);
                view.index.drop_segment(oldest);
            }
            self.directory.remove(oldest)?;
        }
        Ok(())
    }

    /// The oldest segment, when it is to be dropped.
    fn droppable(&self, tail: &Tail) -> Option<u64> {
        let view = self.view.read();
        let (oldest, _) = view.segments.first_key_value()?;
        if *oldest == tail.segment.head.number {
            return None;
        }
        // Counted as if each were full, so that those of short lives do not gather.
        let taken = view.segments.len() as u64 * SEGMENT_BYTES;
        let bound = 2 * view.index.live_in_all() + SLACK_SEGMENTS * SEGMENT_BYTES;
        (view.index.live(*oldest) <= NEARLY_EMPTY || taken > bound).then_some(*oldest)
    }

    /// Appends what still counts in a segment again.
    fn keep_of(&self, writer: &mut Writer, segment: u64) -> Result<(), StoreError> {
        let (kept, file) = {
            let view = self.view.read();
            (view.index.of(segment), view.segments.get(&segment).cloned())
        };
        let Some(file) = file else { return Ok(()) };
        begin(&mut writer.buffer);
        for (keyspace, key, place) in kept {
            let put = Operation::Put(key.into_vec(), file.read(place)?);
            codec::encode(&mut writer.buffer, keyspace, &put).map_err(|_| self.too_long())?;
            if writer.buffer.len() >= MOVED_BYTES {
                self.append_moved(writer)?;
            }
        }
        if writer.buffer.len() > frame::HEAD { self.append_moved(writer) } else { Ok(()) }
    }

    fn append_moved(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if writer.tail.is_full(writer.buffer.len()) {
            self.roll(writer)?;
        }
        self.append(writer, Durability::Buffered)?;
        begin(&mut writer.buffer);
        Ok(())
    }
}

/// Makes room for a frame's head in an empty buffer. A buffer that had to become large is not kept.
fn begin(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(2 * MOVED_BYTES);
    buffer.resize(frame::HEAD, 0);
}

impl Store for SegmentStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        Ok(Box::new(self.view.read().clone()))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.health()?;
        self.write(batch, durability).inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.view.read().segments.values().map(|segment| segment.size()).sum()
    }

    fn health(&self) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Failed { path: self.path() });
        }
        Ok(())
    }
}
