//! Every engine against the conformance suite and against a model.

use crate::{
    Batch, Direction, Durability, Engine, KeyRange, Keyspace, Store, StoreError, StoreOptions, conformance, open,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

const ENGINES: &[Engine] = &[
    Engine::Redb,
    Engine::Segments,
    #[cfg(feature = "store-sled")]
    Engine::Sled,
];

fn make(engine: Engine, path: &Path) -> Result<Arc<dyn Store>, StoreError> {
    open(path, StoreOptions { engine, cache_bytes: 1024 * 1024, quick_reopen: true })
}

#[test]
fn engines_conform() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        conformance::run(dir.path(), &|path| make(*engine, path));
    }
}

#[cfg(not(feature = "store-sled"))]
#[test]
fn an_engine_that_was_not_built_in_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = make(Engine::Sled, &dir.path().join("store")).err().unwrap();
    assert!(error.to_string().contains("store-sled"), "{error}");
}

#[test]
fn a_file_that_is_no_store_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::fs::write(&path, vec![1; 8192]).unwrap();
    let error = make(Engine::Redb, &path).err().unwrap();
    assert!(matches!(error, StoreError::Corrupt { .. } | StoreError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("store"), "{error}");
}

#[test]
fn a_full_disk_is_told_apart() {
    let full = StoreError::io(Path::new("/data"), std::io::ErrorKind::StorageFull.into());
    assert!(full.is_disk_full());
    let other = StoreError::io(Path::new("/data"), std::io::ErrorKind::PermissionDenied.into());
    assert!(!other.is_disk_full());
}

#[derive(Debug, Clone)]
enum Change {
    Put(u8, Vec<u8>, u8),
    Delete(u8, Vec<u8>),
    DeleteRange(u8, Vec<u8>, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let key = || proptest::collection::vec(0..4_u8, 0..4);
    prop_oneof![
        4 => (0..3_u8, key(), any::<u8>()).prop_map(|(space, key, value)| Change::Put(space, key, value)),
        1 => (0..3_u8, key()).prop_map(|(space, key)| Change::Delete(space, key)),
        1 => (0..3_u8, key(), key()).prop_map(|(space, from, to)| Change::DeleteRange(space, from, to)),
    ]
}

fn space(number: u8) -> Keyspace {
    [Keyspace::Log, Keyspace::Tasks, Keyspace::Steps][usize::from(number)]
}

type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

fn apply(model: &mut Model, batch: &mut Batch, change: &Change) {
    match change {
        Change::Put(number, key, value) => {
            model.insert((*number, key.clone()), vec![*value]);
            batch.put(space(*number), key.clone(), [*value]);
        }
        Change::Delete(number, key) => {
            model.remove(&(*number, key.clone()));
            batch.delete(space(*number), key.clone());
        }
        Change::DeleteRange(number, from, to) => {
            model.retain(|(of, key), _| of != number || key < from || key >= to);
            let range = KeyRange { from: Bound::Included(from.clone()), to: Bound::Excluded(to.clone()) };
            batch.delete_range(space(*number), range);
        }
    }
}

fn check(model: &Model, store: &dyn Store) {
    for number in 0..3 {
        let rows =
            |direction| store.snapshot().unwrap().page(space(number), &KeyRange::ALL, direction, usize::MAX).unwrap();
        let mut expected: Vec<_> = model
            .iter()
            .filter(|((of, _), _)| *of == number)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(rows(Direction::Forward), expected);
        expected.reverse();
        assert_eq!(rows(Direction::Reverse), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is committed reads as from a map, before and after reopening.
    #[test]
    fn a_store_is_a_map(batches in proptest::collection::vec(proptest::collection::vec(change(), 0..12), 1..6)) {
        for engine in ENGINES {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("store");
            let mut model = Model::new();
            let store = make(*engine, &path).unwrap();
            for (turn, changes) in batches.iter().enumerate() {
                let mut batch = Batch::new();
                changes.iter().for_each(|change| apply(&mut model, &mut batch, change));
                let last = turn + 1 == batches.len();
                store.commit(&batch, if last { Durability::Fsync } else { Durability::Buffered }).unwrap();
                check(&model, &*store);
            }
            drop(store);
            check(&model, &*make(*engine, &path).unwrap());
        }
    }
}
