//! The suite every engine passes. Engines of other crates may run it too: it needs nothing but the port.

use crate::{Batch, Direction, Durability, KeyRange, Keyspace, Store, StoreError};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

/// Opens the engine under test at a path.
pub type Make<'a> = &'a dyn Fn(&Path) -> Result<Arc<dyn Store>, StoreError>;

/// Runs every check in directories below `dir`, which must be empty.
///
/// # Panics
/// When the engine does not keep the port's promises, with what it broke.
pub fn run(dir: &Path, make: Make<'_>) {
    for (name, check) in CHECKS {
        let place = dir.join(name);
        std::fs::create_dir_all(&place).unwrap_or_else(|error| panic!("no directory: {error}"));
        check(&place.join("store"), make);
    }
}

type Check = fn(&Path, Make<'_>);

const CHECKS: [(&str, Check); 7] = [
    ("values", values),
    ("order", order),
    ("batches", batches),
    ("snapshots", snapshots),
    ("reopening", reopening),
    ("locking", locking),
    ("versions", versions),
];

fn put(store: &dyn Store, keyspace: Keyspace, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(keyspace, key, value);
    commit(store, batch, Durability::Buffered);
}

fn commit(store: &dyn Store, batch: Batch, durability: Durability) {
    store.commit(&batch, durability).unwrap_or_else(|error| panic!("a commit failed: {error}"));
}

fn get(store: &dyn Store, keyspace: Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    store.get(keyspace, key).unwrap_or_else(|error| panic!("a read failed: {error}"))
}

fn opened(path: &Path, make: Make<'_>) -> Arc<dyn Store> {
    make(path).unwrap_or_else(|error| panic!("the store does not open: {error}"))
}

fn all(store: &dyn Store, keyspace: Keyspace, range: &KeyRange, direction: Direction) -> Vec<Vec<u8>> {
    let snapshot = store.snapshot().unwrap_or_else(|error| panic!("no snapshot: {error}"));
    let rows = snapshot.page(keyspace, range, direction, usize::MAX);
    rows.unwrap_or_else(|error| panic!("a scan failed: {error}")).into_iter().map(|(key, _)| key).collect()
}

fn values(path: &Path, make: Make<'_>) {
    let store = opened(path, make);
    assert_eq!(get(&*store, Keyspace::Tasks, b"a"), None, "an empty store has no value");
    put(&*store, Keyspace::Tasks, b"a", b"1");
    put(&*store, Keyspace::Tasks, b"empty", b"");
    assert_eq!(get(&*store, Keyspace::Tasks, b"a").as_deref(), Some(b"1".as_slice()));
    assert_eq!(get(&*store, Keyspace::Tasks, b"empty").as_deref(), Some(b"".as_slice()), "an empty value is a value");
    assert_eq!(get(&*store, Keyspace::Agents, b"a"), None, "keyspaces are apart");
    put(&*store, Keyspace::Tasks, b"a", b"2");
    assert_eq!(get(&*store, Keyspace::Tasks, b"a").as_deref(), Some(b"2".as_slice()), "the later value counts");
    let large = vec![7_u8; 3 * 1024 * 1024];
    put(&*store, Keyspace::Log, b"large", &large);
    assert!(get(&*store, Keyspace::Log, b"large").as_deref() == Some(large.as_slice()), "large values are whole");
    assert!(store.size().is_ok_and(|size| size > 0), "the store has a size");
    assert!(store.health().is_ok(), "the store is well");
}

fn order(path: &Path, make: Make<'_>) {
    let store = opened(path, make);
    let keys: [&[u8]; 6] = [b"", b"a", b"a\0", b"a\xff", b"b", b"\xff\xff"];
    for key in keys.iter().rev() {
        put(&*store, Keyspace::Steps, key, b"x");
    }
    put(&*store, Keyspace::TaskStates, b"a", b"x");
    put(&*store, Keyspace::HotTasks, b"a", b"x");
    let mut expected: Vec<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
    assert_eq!(all(&*store, Keyspace::Steps, &KeyRange::ALL, Direction::Forward), expected, "keys are ordered");
    expected.reverse();
    assert_eq!(all(&*store, Keyspace::Steps, &KeyRange::ALL, Direction::Reverse), expected, "and in reverse");
    let prefix = all(&*store, Keyspace::Steps, &KeyRange::prefix(b"a"), Direction::Forward);
    assert_eq!(prefix, [b"a".to_vec(), b"a\0".to_vec(), b"a\xff".to_vec()], "a prefix is a range");
    let last = all(&*store, Keyspace::Steps, &KeyRange::prefix(b"\xff"), Direction::Forward);
    assert_eq!(last, [b"\xff\xff".to_vec()], "a prefix of the largest bytes is open above");
    let open = KeyRange { from: Bound::Excluded(b"a".to_vec()), to: Bound::Excluded(b"b".to_vec()) };
    assert_eq!(all(&*store, Keyspace::Steps, &open, Direction::Forward).len(), 2, "excluded bounds are left out");
    let closed = KeyRange { from: Bound::Included(b"a".to_vec()), to: Bound::Included(b"b".to_vec()) };
    assert_eq!(all(&*store, Keyspace::Steps, &closed, Direction::Forward).len(), 4, "included bounds are in");
    let backwards = KeyRange { from: Bound::Included(b"b".to_vec()), to: Bound::Excluded(b"a".to_vec()) };
    assert!(all(&*store, Keyspace::Steps, &backwards, Direction::Forward).is_empty(), "a backward range is empty");
    let snapshot = store.snapshot().unwrap_or_else(|error| panic!("no snapshot: {error}"));
    let mut seen = 0;
    let scanned = snapshot.scan(Keyspace::Steps, &KeyRange::ALL, Direction::Forward, &mut |_, _| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(scanned.is_ok() && seen == 2, "a scan ends when it is told to");
    assert!(snapshot.page(Keyspace::Steps, &KeyRange::ALL, Direction::Forward, 0).is_ok_and(|rows| rows.is_empty()));
}

fn batches(path: &Path, make: Make<'_>) {
    let store = opened(path, make);
    let mut batch = Batch::new();
    for key in 0..10_u8 {
        batch.put(Keyspace::Log, [key], [key]);
        batch.put(Keyspace::Meta, [b'm', key], [key]);
    }
    batch.delete(Keyspace::Log, [3]);
    batch.delete(Keyspace::Log, b"missing".as_slice());
    let range = KeyRange { from: Bound::Included(vec![5]), to: Bound::Excluded(vec![8]) };
    batch.delete_range(Keyspace::Log, range);
    batch.put(Keyspace::Log, [6], b"again".as_slice());
    commit(&*store, batch, Durability::Fsync);
    let expected: Vec<Vec<u8>> = [0, 1, 2, 4, 6, 8, 9].into_iter().map(|key: u8| vec![key]).collect();
    let found = all(&*store, Keyspace::Log, &KeyRange::ALL, Direction::Forward);
    assert_eq!(found, expected, "the changes of a batch happen in their order");
    assert_eq!(get(&*store, Keyspace::Log, &[6]).as_deref(), Some(b"again".as_slice()));
    let mut sweep = Batch::new();
    sweep.delete_range(Keyspace::Log, KeyRange::ALL);
    commit(&*store, sweep, Durability::Buffered);
    assert!(all(&*store, Keyspace::Log, &KeyRange::ALL, Direction::Forward).is_empty(), "a range can be everything");
    assert_eq!(get(&*store, Keyspace::Meta, &[b'm', 9]).as_deref(), Some([9].as_slice()), "of one keyspace only");
    commit(&*store, Batch::new(), Durability::Fsync);
}

/// Writers move a token between two keys; whoever looks must always see it exactly once.
fn snapshots(path: &Path, make: Make<'_>) {
    let store = opened(path, make);
    put(&*store, Keyspace::Tasks, b"left", b"token");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for turn in 0..200 {
                let (from, to) = if turn % 2 == 0 {
                    (b"left".as_slice(), b"right".as_slice())
                } else {
                    (b"right".as_slice(), b"left".as_slice())
                };
                let mut batch = Batch::new();
                batch.delete(Keyspace::Tasks, from);
                batch.put(Keyspace::Tasks, to, b"token".as_slice());
                commit(&*store, batch, Durability::Buffered);
            }
        });
        let mut looks = 0;
        while !writer.is_finished() || looks == 0 {
            let found = all(&*store, Keyspace::Tasks, &KeyRange::ALL, Direction::Forward);
            assert_eq!(found.len(), 1, "a snapshot shows a batch as a whole");
            looks += 1;
        }
    });
}

fn reopening(path: &Path, make: Make<'_>) {
    let mut model = BTreeMap::new();
    for round in 0..4_u8 {
        let store = opened(path, make);
        let found = all(&*store, Keyspace::Tasks, &KeyRange::ALL, Direction::Forward);
        let expected: Vec<Vec<u8>> = model.keys().cloned().collect();
        assert_eq!(found, expected, "what was committed is there after reopening (round {round})");
        for key in 0..50_u8 {
            put(&*store, Keyspace::Tasks, &[round, key], &[key]);
            model.insert(vec![round, key], vec![key]);
        }
        let mut batch = Batch::new();
        batch.delete(Keyspace::Tasks, [round, 7]);
        model.remove([round, 7].as_slice());
        commit(&*store, batch, Durability::Fsync);
    }
}

fn locking(path: &Path, make: Make<'_>) {
    let store = opened(path, make);
    let second = make(path).err();
    assert!(matches!(second, Some(StoreError::Locked { .. })), "a second opening is refused: {second:?}");
    assert!(second.is_some_and(|error| error.to_string().contains("--home")), "and says the way out");
    drop(store);
    drop(opened(path, make));
}

fn versions(path: &Path, make: Make<'_>) {
    let store = opened(path, make);
    let mut batch = Batch::new();
    batch.put(Keyspace::Meta, b"format".as_slice(), (crate::FORMAT_VERSION - 1).to_be_bytes());
    commit(&*store, batch, Durability::Fsync);
    drop(store);
    let refused = make(path).err();
    assert!(
        matches!(refused, Some(StoreError::OlderVersion { supported: crate::FORMAT_VERSION, .. })),
        "an older format is refused: {refused:?}"
    );
    let path = &path.with_extension("newer");
    let store = opened(path, make);
    let mut batch = Batch::new();
    batch.put(Keyspace::Meta, b"format".as_slice(), 99_u32.to_be_bytes());
    commit(&*store, batch, Durability::Fsync);
    drop(store);
    let refused = make(path).err();
    assert!(
        matches!(refused, Some(StoreError::NewerVersion { found: 99, supported: crate::FORMAT_VERSION, .. })),
        "a newer format is refused: {refused:?}"
    );
}
