//! The disks of a simulated node: stores in memory of which a crash leaves what was fsynced.

use super::planted::Planted;
use crate::stores::Opener;
use octopussy_store::{
    Batch, Direction, Durability, KeyRange, Keyspace, Operation, Snapshot, Store, StoreError, Visit,
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

/// How many commits a disk that lies about fsync loses at a crash.
const LIED_ABOUT: usize = 12;

type Rows = Arc<BTreeMap<Vec<u8>, Vec<u8>>>;

/// All keyspaces of a store at one moment.
pub(super) type Image = BTreeMap<Keyspace, Rows>;

/// A store in memory.
#[derive(Default)]
pub(super) struct Disk {
    state: Mutex<State>,
    /// A planted fault: what was fsynced last is lost nevertheless.
    lies: bool,
    /// A planted fault: what is put there never arrives.
    loses: Option<Keyspace>,
}

#[derive(Default)]
struct State {
    visible: Image,
    durable: Image,
    /// What was durable before, of a disk that lies.
    before: VecDeque<Image>,
}

impl Disk {
    fn new(image: Image, lies: bool) -> Arc<Self> {
        let state = State { visible: image.clone(), durable: image, before: VecDeque::new() };
        Arc::new(Self { state: Mutex::new(state), lies, loses: None })
    }

    fn losing(image: Image, keyspace: Keyspace) -> Arc<Self> {
        let state = State { visible: image.clone(), durable: image, before: VecDeque::new() };
        Arc::new(Self { state: Mutex::new(state), lies: false, loses: Some(keyspace) })
    }

    /// Puts other content in the place of what there is.
    fn put_back(&self, image: Image) {
        let mut state = self.state.lock();
        state.before.clear();
        state.visible = image.clone();
        state.durable = image;
    }

    fn crash(&self) {
        let mut state = self.state.lock();
        if let Some(older) = state.before.pop_front() {
            state.durable = older;
        }
        state.before.clear();
        state.visible = state.durable.clone();
    }
}

impl Store for Disk {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        Ok(Box::new(View(self.state.lock().visible.clone())))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        for (keyspace, operation) in batch.grouped() {
            let rows = Arc::make_mut(state.visible.entry(*keyspace).or_default());
            match operation {
                Operation::Put(..) if self.loses == Some(*keyspace) => {}
                Operation::Put(key, value) => drop(rows.insert(key.clone(), value.clone())),
                Operation::Delete(key) => drop(rows.remove(key)),
                Operation::DeleteRange(range) if range.is_empty() => {}
                Operation::DeleteRange(range) => {
                    let gone: Vec<_> = rows.range::<[u8], _>(range.bounds()).map(|(key, _)| key.clone()).collect();
                    gone.iter().for_each(|key| drop(rows.remove(key)));
                }
            }
        }
        if durability == Durability::Fsync {
            let now = state.visible.clone();
            let before = std::mem::replace(&mut state.durable, now);
            if self.lies {
                state.before.push_back(before);
                if state.before.len() > LIED_ABOUT {
                    state.before.pop_front();
                }
            }
        }
        Ok(())
    }

    fn size(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

struct View(Image);

impl Snapshot for View {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&keyspace).and_then(|rows| rows.get(key)).cloned())
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let Some(rows) = self.0.get(&keyspace).filter(|_| !range.is_empty()) else { return Ok(()) };
        let mut rows = rows.range::<[u8], _>(range.bounds());
        let next = || match direction {
            Direction::Forward => rows.next(),
            Direction::Reverse => rows.next_back(),
        };
        for (key, value) in std::iter::from_fn(next) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The two stores of a node.
#[derive(Clone)]
pub(super) struct Disks {
    log: Arc<Disk>,
    state: Arc<Disk>,
}

/// What lies on the disks of a node.
pub(super) type Images = (Image, Image);

impl Disks {
    pub(super) fn new(number: u8, images: Images, planted: Planted) -> Self {
        let lies = planted == Planted::NoFsync;
        if number == 1 && planted == Planted::LostRows {
            let state = Disk::losing(images.1, Keyspace::IdempotencyByTime);
            return Self { log: Disk::new(images.0, lies), state };
        }
        Self { log: Disk::new(images.0, lies), state: Disk::new(images.1, lies) }
    }

    /// Leaves what was fsynced.
    pub(super) fn crash(&self) {
        self.log.crash();
        self.state.crash();
    }

    /// Puts what a copy holds in the place of what there is.
    pub(super) fn put_back(&self, images: Images) {
        self.log.put_back(images.0);
        self.state.put_back(images.1);
    }

    pub(super) fn images(&self) -> Images {
        (self.log.state.lock().durable.clone(), self.state.state.lock().durable.clone())
    }

    pub(super) fn opener(&self) -> Opener {
        let disks = self.clone();
        Arc::new(move |path: &Path, _| {
            let log = path.file_stem().is_some_and(|name| name == "log");
            Ok(Arc::clone(if log { &disks.log } else { &disks.state }) as Arc<dyn Store>)
        })
    }
}

#[test]
fn it_keeps_what_the_port_promises_and_a_crash_takes_the_rest() {
    let disk = Disk::new(Image::new(), false);
    let put = |key: &[u8], durability| {
        let mut batch = Batch::new();
        batch.put(Keyspace::Log, key, key);
        disk.commit(&batch, durability).unwrap();
    };
    put(b"a", Durability::Fsync);
    put(b"b", Durability::Buffered);
    assert!(disk.get(Keyspace::Log, b"b").unwrap().is_some());
    disk.crash();
    assert!(disk.get(Keyspace::Log, b"b").unwrap().is_none());
    assert!(disk.get(Keyspace::Log, b"a").unwrap().is_some());
    let mut batch = Batch::new();
    batch.delete_range(Keyspace::Log, KeyRange::prefix(b"a"));
    disk.commit(&batch, Durability::Fsync).unwrap();
    let rows = disk.snapshot().unwrap().page(Keyspace::Log, &KeyRange::ALL, Direction::Reverse, 9).unwrap();
    assert!(rows.is_empty());
}
