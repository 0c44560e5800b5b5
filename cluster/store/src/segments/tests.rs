//! Crashes, damage and bounds of the log in segments.

use super::{ALLOCATION_BYTES, SEGMENT_BYTES, SegmentStore};
use crate::{Batch, Direction, Durability, KeyRange, Keyspace, Store, StoreError};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(path: &Path) -> SegmentStore {
    SegmentStore::open(path).unwrap()
}

fn put(store: &dyn Store, key: &[u8], value: &[u8], durability: Durability) {
    let mut batch = Batch::new();
    batch.put(Keyspace::Log, key, value);
    store.commit(&batch, durability).unwrap();
}

fn all(store: &dyn Store) -> Model {
    let rows = store.snapshot().unwrap().page(Keyspace::Log, &KeyRange::ALL, Direction::Forward, usize::MAX);
    rows.unwrap().into_iter().collect()
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "segment")).collect();
    segments.sort();
    segments
}

/// What a crash leaves: the files as they are while the store is open, without its lock.
fn crashed(path: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for segment in segments(path) {
        std::fs::copy(&segment, copy.path().join(segment.file_name().unwrap())).unwrap();
    }
    copy
}

fn number(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

#[test]
fn a_frame_that_was_being_written_is_dropped_and_what_follows_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, b"a", b"1", Durability::Fsync);
    let before = std::fs::metadata(&segments(dir.path())[0]).unwrap().len();
    put(&store, b"b", &[7; 100], Durability::Buffered);
    let copy = crashed(dir.path());
    let segment = segments(copy.path()).remove(0);
    // The last frame reached the disk in part only.
    let mut bytes = std::fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte == 7).unwrap();
    bytes[end] = 0;
    std::fs::write(&segment, &bytes).unwrap();
    assert_eq!(bytes.len() as u64, before, "space is allocated ahead");
    for round in 0..3_u8 {
        let store = open(copy.path());
        let mut expected: Model = (0..round).map(|round| (vec![b'c', round], b"2".to_vec())).collect();
        expected.insert(b"a".to_vec(), b"1".to_vec());
        assert_eq!(all(&store), expected, "round {round}");
        put(&store, &[b'c', round], b"2", Durability::Fsync);
    }
}

#[test]
fn damage_of_what_was_durable_is_told_apart_from_an_interrupted_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for key in [b"a", b"b", b"c"] {
        put(&store, key, &[9; 64], Durability::Fsync);
    }
    let copy = crashed(dir.path());
    let segment = segments(copy.path()).remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    let second = bytes.windows(64).position(|window| window == [9; 64]).unwrap() + 128;
    bytes[second] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let error = SegmentStore::open(copy.path()).err().unwrap();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains(".segment"), "the file is named: {error}");
}

#[test]
fn a_segment_that_is_missing_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    for life in 0..4_u64 {
        let store = open(dir.path());
        // Too much to be moved when the next life begins.
        for piece in 0..3_u64 {
            put(&store, &number(life * 10 + piece), &vec![1; 1024 * 1024], Durability::Fsync);
        }
    }
    let there = segments(dir.path());
    assert!(there.len() >= 3, "{there:?}");
    std::fs::remove_file(&there[1]).unwrap();
    let error = SegmentStore::open(dir.path()).err().unwrap();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn a_segment_that_was_being_made_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    put(&open(dir.path()), b"a", b"1", Durability::Fsync);
    std::fs::write(dir.path().join("0000000000000002.segment"), b"octo").unwrap();
    let store = open(dir.path());
    put(&store, b"b", b"2", Durability::Fsync);
    drop(store);
    assert_eq!(all(&open(dir.path())).len(), 2);
}

#[test]
fn a_damaged_head_is_not_taken_for_an_unfinished_one() {
    let dir = tempfile::tempdir().unwrap();
    put(&open(dir.path()), b"a", b"1", Durability::Fsync);
    let segment = segments(dir.path()).remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let error = SegmentStore::open(dir.path()).err().unwrap();
    assert!(error.to_string().contains("0000000000000001.segment"), "{error}");
}

/// A log as it is used: written at the end, purged at the beginning, beside keys that are set over and over and some that
/// never change.
#[test]
fn what_is_purged_gives_its_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let value = vec![3; 64 * 1024];
    put(&store, b"\xff old", b"kept", Durability::Fsync);
    for index in 0..2_000_u64 {
        let mut batch = Batch::new();
        batch.put(Keyspace::Log, number(index), value.clone());
        batch.put(Keyspace::Meta, b"committed".as_slice(), number(index));
        if index >= 64 && index % 64 == 0 {
            let range = KeyRange { from: Bound::Unbounded, to: Bound::Excluded(number(index - 64)) };
            batch.delete_range(Keyspace::Log, range);
        }
        store.commit(&batch, Durability::Buffered).unwrap();
    }
    // 128 entries and the step of purging are 12 MiB; twice that and the slack.
    let bound = 2 * 12 * 1024 * 1024 + 6 * SEGMENT_BYTES;
    assert!(store.size().unwrap() < bound, "{} bytes are taken", store.size().unwrap());
    let expected = all(&store);
    assert!(expected.contains_key(b"\xff old".as_slice()), "what was moved is still there");
    drop(store);
    let again = open(dir.path());
    assert_eq!(all(&again), expected);
    assert_eq!(again.get(Keyspace::Meta, b"committed").unwrap(), Some(number(1_999)));
}

#[test]
fn short_lives_leave_little_behind() {
    let dir = tempfile::tempdir().unwrap();
    for life in 0..40_u64 {
        let store = open(dir.path());
        put(&store, &number(life), &[5; 1_000], Durability::Fsync);
    }
    assert!(segments(dir.path()).len() < 5, "{:?}", segments(dir.path()));
    let store = open(dir.path());
    assert_eq!(all(&store).len(), 40);
    assert!(store.size().unwrap() < 3 * ALLOCATION_BYTES);
}

#[test]
fn a_view_outlives_the_segments_it_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, b"a", b"before", Durability::Fsync);
    let view = store.snapshot().unwrap();
    for index in 0..300_u64 {
        put(&store, b"a", &vec![1; 128 * 1024], Durability::Buffered);
        put(&store, &number(index), b"x", Durability::Buffered);
    }
    assert!(!dir.path().join("0000000000000001.segment").exists(), "the first segment was dropped");
    assert_eq!(view.get(Keyspace::Log, b"a").unwrap().unwrap(), b"before");
    assert_eq!(view.get(Keyspace::Log, &number(0)).unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever point a crash cuts the files at, what is found is a prefix of the commits that has all durable ones.
    #[test]
    fn a_crash_leaves_a_prefix(
        commits in proptest::collection::vec((1..6_u8, 1..200_usize, any::<bool>(), any::<bool>()), 1..20),
        lives in 1..3_usize,
        cut in any::<proptest::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut states = vec![Model::new()];
        let mut durable = 0;
        let mut place = None;
        for life in 0..lives {
            let store = open(dir.path());
            for (key, length, delete, fsync) in &commits {
                let mut model = states.last().unwrap().clone();
                let mut batch = Batch::new();
                let key = vec![*key];
                if *delete {
                    model.remove(&key);
                    batch.delete(Keyspace::Log, key);
                } else {
                    let value = vec![u8::try_from(states.len() % 250 + 1).unwrap(); *length];
                    model.insert(key.clone(), value.clone());
                    batch.put(Keyspace::Log, key, value);
                }
                store.commit(&batch, if *fsync { Durability::Fsync } else { Durability::Buffered }).unwrap();
                states.push(model);
                if *fsync {
                    durable = states.len() - 1;
                }
                // The first commit of a life may have moved what was durable before.
                if *fsync || place.is_none() {
                    place = Some(written(dir.path()));
                }
            }
            if life + 1 < lives {
                store.commit(&Batch::new(), Durability::Fsync).unwrap();
                durable = states.len() - 1;
                // The next life begins a segment, and may drop those before it.
                place = None;
            }
        }
        let copy = crashed(dir.path());
        let last = segments(copy.path()).pop().unwrap();
        let mut bytes = std::fs::read(&last).unwrap();
        // Everything behind the last durable frame may have reached the disk or not.
        let from = place.unwrap_or(64).min(bytes.len());
        let to = written(copy.path()).max(from);
        let at = from + cut.index(to - from + 1);
        let end = (at + garbage.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&garbage[..end - at]);
        bytes[end..].fill(0);
        std::fs::write(&last, &bytes).unwrap();
        let found = all(&open(copy.path()));
        let place = states.iter().rposition(|state| *state == found);
        prop_assert!(place.is_some_and(|place| place >= durable), "{:?} of {} with {} durable", place, states.len(), durable);
    }
}

/// Where what was written to the newest segment ends; no frame here ends in a zero.
fn written(path: &Path) -> usize {
    let bytes = std::fs::read(segments(path).pop().unwrap()).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last + 1).next_multiple_of(8))
}
