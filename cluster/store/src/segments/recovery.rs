//! Opening: every frame is read once, in the order of the commits.

use super::codec::Changes;
use super::directory::Directory;
use super::frame;
use super::index::Index;
use super::segment::{FIRST, Segment};
use crate::StoreError;
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// What was found.
pub(super) struct Recovered {
    pub(super) index: Index,
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
    /// The number of the next frame.
    pub(super) next: u64,
    /// Where the frames of the last segment end.
    pub(super) ends: u64,
}

/// Reads all segments.
///
/// # Errors
/// When they cannot be read, or something is missing that was acknowledged.
pub(super) fn read(directory: &Directory) -> Result<Recovered, StoreError> {
    let segments = segments(directory)?;
    let first = segments.first().map_or(1, |segment| segment.head.first);
    let mut found = Recovered { index: Index::default(), segments: BTreeMap::new(), next: first, ends: 0 };
    for (place, segment) in segments.iter().enumerate() {
        if segment.head.first != found.next {
            return Err(damaged(segment, format!("frame {} is missing before it", found.next)));
        }
        let after = segments.get(place + 1).map(|after| after.head.before_ends);
        found.ends = frames(segment, after, &mut found)?;
    }
    found.segments = segments.into_iter().map(|segment| (segment.head.number, Arc::new(segment))).collect();
    Ok(found)
}

/// The segments in their order. The last one may be one that was not finished being made, which is dropped.
fn segments(directory: &Directory) -> Result<Vec<Segment>, StoreError> {
    let numbers = directory.segments()?;
    let mut segments = Vec::with_capacity(numbers.len());
    for (place, number) in numbers.iter().enumerate() {
        let path = directory.segment(*number);
        match Segment::open(path.clone(), *number)? {
            Some(segment) => segments.push(segment),
            None if place + 1 == numbers.len() => directory.remove(*number)?,
            None => return Err(StoreError::Corrupt { path, detail: "it is empty".to_owned() }),
        }
        if place > 0 && numbers.get(place - 1).is_some_and(|before| before + 1 != *number) {
            let detail = format!("segment {} is missing", number - 1);
            return Err(StoreError::Corrupt { path: directory.path().to_path_buf(), detail });
        }
    }
    Ok(segments)
}

/// Takes up the frames of a segment up to `ends`, or without it up to the last whole one. Answers with where they end.
fn frames(segment: &Segment, ends: Option<u64>, found: &mut Recovered) -> Result<u64, StoreError> {
    let bytes = read_up_to(segment, ends)?;
    let end = bytes.len() as u64;
    let mut at = FIRST;
    while at < end {
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let Some((head, payload)) = frame::open(rest).filter(|(head, _)| head.sequence == found.next) else { break };
        let mut changes = Changes::of(payload);
        loop {
            let change = changes.next();
            let change = change.map_err(|_| damaged(segment, format!("frame {} has no meaning", head.sequence)))?;
            let Some((keyspace, change)) = change else { break };
            found.index.apply(segment.head.number, at + frame::HEAD as u64, keyspace, &change);
        }
        at += frame::span(payload.len());
        found.next += 1;
    }
    match ends {
        Some(ends) if at != ends => Err(damaged(segment, format!("frame {} cannot be read", found.next))),
        None if was_durable(&bytes, at, found.next) => {
            Err(damaged(segment, format!("frame {} cannot be read, and later ones can", found.next)))
        }
        Some(_) | None => Ok(at),
    }
}

fn read_up_to(segment: &Segment, ends: Option<u64>) -> Result<Vec<u8>, StoreError> {
    let size = segment.size()?;
    let wanted = ends.map_or(size, |ends| ends.min(size));
    let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(usize::MAX)];
    segment.file.read_exact_at(&mut bytes, 0).map_err(|error| StoreError::io(segment.path(), error))?;
    Ok(bytes)
}

/// Whether a frame behind `at` says that frame `sequence` was on the disk: then that one is damaged, and not one whose writing
/// was interrupted.
fn was_durable(bytes: &[u8], at: u64, sequence: u64) -> bool {
    let from = usize::try_from(at).unwrap_or(usize::MAX);
    let places = (from..bytes.len()).step_by(usize::try_from(frame::ALIGN).unwrap_or(1));
    places
        .filter_map(|place| frame::open(bytes.get(place..)?))
        .any(|(head, _)| head.sequence > sequence && head.durable >= sequence)
}

fn damaged(segment: &Segment, detail: String) -> StoreError {
    StoreError::Corrupt { path: segment.path().to_path_buf(), detail }
}
