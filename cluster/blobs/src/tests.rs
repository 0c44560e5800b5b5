//! Blobs on several nodes, over an in-memory mesh.

use crate::{BlobKeeper, ClusterBlobs};
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::ids::{BlobId, NodeId};
use octopussy_core::ports::{BlobError, BlobPort, MAX_BLOB_BYTES};
use octopussy_mesh::memory::Network;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Default)]
struct Disk {
    blobs: Mutex<HashMap<BlobId, Bytes>>,
    stored_at: Mutex<HashMap<BlobId, Instant>>,
    full: AtomicBool,
}

#[async_trait]
impl BlobPort for Disk {
    async fn put(&self, content: Bytes) -> Result<BlobId, BlobError> {
        if content.len() > MAX_BLOB_BYTES {
            return Err(BlobError::TooLarge { actual: content.len() });
        }
        if self.full.load(Ordering::SeqCst) {
            return Err(BlobError::DiskFull);
        }
        let id = BlobId::of(&content);
        self.stored_at.lock().insert(id, Instant::now());
        self.blobs.lock().insert(id, content);
        Ok(id)
    }
    async fn older_than(&self, age: Duration) -> Result<Vec<BlobId>, BlobError> {
        let stored = self.stored_at.lock();
        let old = stored.iter().filter(|(id, at)| at.elapsed() > age && self.blobs.lock().contains_key(*id));
        Ok(old.map(|(id, _)| *id).collect())
    }
    async fn remove(&self, id: BlobId, age: Duration) -> Result<bool, BlobError> {
        let old = self.stored_at.lock().get(&id).is_some_and(|at| at.elapsed() > age);
        Ok(old && self.blobs.lock().remove(&id).is_some())
    }
    async fn get(&self, id: BlobId) -> Result<Option<Bytes>, BlobError> {
        match self.blobs.lock().get(&id) {
            Some(content) if BlobId::of(content) != id => Err(BlobError::Damaged(id)),
            content => Ok(content.cloned()),
        }
    }
}

struct World {
    network: Network,
    ids: Vec<NodeId>,
    disks: Vec<Arc<Disk>>,
    blobs: Vec<Arc<ClusterBlobs>>,
}

impl World {
    fn of(count: u8, guests: &'static [u8]) -> Self {
        let network = Network::new(0xb10b);
        network.set_latency(Duration::from_millis(1)..=Duration::from_millis(3));
        let ids: Vec<_> = (1..=count).map(|node| NodeId([node; 16])).collect();
        let disks: Vec<_> = ids.iter().map(|_| Arc::new(Disk::default())).collect();
        let holders: Vec<NodeId> = ids.iter().copied().filter(|node| !guests.contains(&node.0[0])).collect();
        let of = |id: &NodeId, disk: &Arc<Disk>| {
            let holders = holders.clone();
            ClusterBlobs::new(disk.clone(), network.node(*id, 1), Arc::new(move || holders.clone()))
        };
        let blobs = ids.iter().zip(&disks).map(|(id, disk)| of(id, disk)).collect();
        Self { network, ids, disks, blobs }
    }

    fn holders(&self, id: BlobId) -> Vec<usize> {
        (0..self.disks.len()).filter(|node| self.disks[*node].blobs.lock().contains_key(&id)).collect()
    }
}

fn content(bytes: usize) -> Bytes {
    (0..bytes).map(|index| (index % 251) as u8).collect::<Vec<_>>().into()
}

#[tokio::test(start_paused = true)]
async fn a_blob_is_on_a_majority_before_it_is_named() {
    for (nodes, copies) in [(1, 1), (2, 2), (3, 2), (5, 3), (7, 3)] {
        let world = World::of(nodes, &[]);
        let id = world.blobs[0].put(content(2_000_000)).await.unwrap();
        assert_eq!(world.holders(id).len(), copies, "{nodes} nodes");
        world.blobs[0].put(content(2_000_000)).await.unwrap();
        assert_eq!(world.holders(id).len(), copies, "{nodes} nodes, the second time");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_blob_is_fetched_and_kept() {
    let world = World::of(5, &[]);
    let wanted = content(1_500_000);
    let id = world.blobs[0].put(wanted.clone()).await.unwrap();
    let without = (0..5).find(|node| !world.holders(id).contains(node)).unwrap();
    assert_eq!(world.blobs[without].get(id).await.unwrap(), Some(wanted.clone()));
    assert!(world.holders(id).contains(&without), "it was not kept");
    assert_eq!(world.blobs[without].get(BlobId([9; 32])).await.unwrap(), None);

    // Damaged on this disk, whole on others: mended.
    world.disks[0].blobs.lock().insert(id, Bytes::from_static(b"rot"));
    assert_eq!(world.blobs[0].get(id).await.unwrap(), Some(wanted));
    assert_eq!(BlobId::of(&world.disks[0].blobs.lock()[&id]), id);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_lies_is_not_believed() {
    let world = World::of(2, &[]);
    let id = BlobId::of(b"truth");
    world.disks[1].blobs.lock().insert(id, Bytes::from_static(b"lies"));
    assert!(!matches!(world.blobs[0].get(id).await, Ok(Some(_))));
    assert!(world.disks[0].blobs.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_node_takes_the_place_of_one_that_fails() {
    let world = World::of(5, &[]);
    for full in 1..=2 {
        world.disks[full].full.store(true, Ordering::SeqCst);
    }
    let id = world.blobs[0].put(content(10)).await.unwrap();
    assert_eq!(world.holders(id), [0, 3, 4]);
    world.disks[3].full.store(true, Ordering::SeqCst);
    let error = world.blobs[0].put(content(11)).await.unwrap_err();
    assert!(matches!(error, BlobError::Io(_)), "{error}");
    world.disks[0].full.store(true, Ordering::SeqCst);
    assert!(matches!(world.blobs[0].put(content(12)).await, Err(BlobError::DiskFull)));
}

#[tokio::test(start_paused = true)]
async fn guests_hold_nothing_and_may_ask() {
    let world = World::of(3, &[3]);
    let id = world.blobs[0].put(content(10)).await.unwrap();
    assert_eq!(world.holders(id), [0, 1]);
    assert!(world.blobs[2].get(id).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn while_a_member_is_away_it_may_have_what_nobody_else_has() {
    let world = World::of(2, &[]);
    let id = BlobId::of(b"elsewhere");
    world.network.partition(world.ids[0], world.ids[1]);
    // Before the loss is noticed, the other might have it.
    assert!(world.blobs[0].get(id).await.is_err());
    assert!(world.blobs[0].put(Bytes::from_static(b"here")).await.is_err());
    // The loss is known, and it still might.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(matches!(world.blobs[0].get(id).await, Err(BlobError::Io(_))));
    world.network.heal(world.ids[0], world.ids[1]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.blobs[0].get(id).await.unwrap(), None, "it has not");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_takes_no_blob() {
    let world = World::of(3, &[]);
    for other in 1..=2 {
        world.network.partition(world.ids[0], world.ids[other]);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let refused = world.blobs[0].put(Bytes::from_static(b"here")).await;
    let Err(BlobError::Io(why)) = refused else { panic!("{refused:?}") };
    assert!(why.to_string().contains("1 of 2 copies") && why.to_string().contains("0 of the 2 other"), "{why}");
    world.network.heal(world.ids[0], world.ids[1]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.blobs[0].put(Bytes::from_static(b"here")).await.expect("two of three are a majority");
}

#[tokio::test(start_paused = true)]
async fn copies_outlive_all_the_nodes_they_were_first_written_to() {
    let world = World::of(5, &[]);
    let wanted = content(1_500_000);
    let id = world.blobs[0].put(wanted.clone()).await.unwrap();
    let first = world.holders(id);
    let named = BTreeSet::from([id]);
    let [keeper, late] = [0, 1, 2, 3, 4].into_iter().filter(|node| !first.contains(node)).collect::<Vec<_>>()[..]
    else {
        panic!("{first:?}")
    };
    let mut looking = BlobKeeper::new(world.blobs[keeper].clone());
    assert_eq!(looking.look(&named).await, 0);
    for holder in first {
        world.network.stop(world.ids[holder]);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut looking = BlobKeeper::new(world.blobs[late].clone());
    let nowhere = BlobId([9; 32]);
    assert_eq!(looking.look(&BTreeSet::from([id, nowhere])).await, 1);
    assert_eq!(world.holders(id).len(), 5);
    assert_eq!(looking.look(&named).await, 0, "what is not named any longer is not looked for");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_on_the_disk_is_looked_for_again() {
    let world = World::of(2, &[2]);
    let id = world.blobs[0].put(content(10)).await.unwrap();
    let mut keeper = BlobKeeper::new(world.blobs[1].clone());
    world.disks[1].full.store(true, Ordering::SeqCst);
    assert_eq!(keeper.look(&BTreeSet::from([id])).await, 1);
    world.disks[1].full.store(false, Ordering::SeqCst);
    assert_eq!(keeper.look(&BTreeSet::from([id])).await, 0);
    assert_eq!(world.holders(id), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_copy_is_mended_before_it_is_needed() {
    let world = World::of(2, &[]);
    let id = world.blobs[0].put(content(10)).await.unwrap();
    world.disks[1].blobs.lock().insert(id, Bytes::from_static(b"rot"));
    assert_eq!(BlobKeeper::new(world.blobs[1].clone()).look(&BTreeSet::from([id])).await, 0);
    assert_eq!(world.disks[1].blobs.lock()[&id], content(10));
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Sweeps as an upkeep does, for so many hours.
async fn sweep_for(keeper: &mut BlobKeeper, hours: u32, named: &BTreeSet<BlobId>, members: &[NodeId]) -> usize {
    let mut removed = 0;
    for _ in 0..hours {
        tokio::time::sleep(HOUR).await;
        removed += keeper.sweep(named, members).await;
    }
    removed
}

#[tokio::test(start_paused = true)]
async fn what_nothing_names_goes_after_its_grace_and_what_is_named_stays() {
    let world = World::of(1, &[]);
    let mut keeper = BlobKeeper::new(world.blobs[0].clone());
    let kept = world.blobs[0].put(content(100)).await.unwrap();
    let gone = world.blobs[0].put(content(200)).await.unwrap();
    let named = BTreeSet::from([kept]);
    keeper.look(&named).await;
    assert_eq!(sweep_for(&mut keeper, 24, &named, &[]).await, 0, "its grace is not over");
    // Stored again: it will be named in a moment.
    world.blobs[0].put(content(200)).await.unwrap();
    assert_eq!(sweep_for(&mut keeper, 24, &named, &[]).await, 0, "it counts from when it was stored again");
    assert_eq!(sweep_for(&mut keeper, 4, &named, &[]).await, 1);
    assert!(world.holders(gone).is_empty() && world.holders(kept) == [0]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_stays_while_a_node_that_is_to_have_it_lacks_it_or_does_not_answer() {
    let world = World::of(3, &[]);
    let id = world.blobs[0].put(content(100)).await.unwrap();
    for disk in &world.disks[1..] {
        disk.blobs.lock().remove(&id);
    }
    let members = [world.ids[1], world.ids[2]];
    let mut here = BlobKeeper::new(world.blobs[0].clone());
    let mut there = [BlobKeeper::new(world.blobs[1].clone()), BlobKeeper::new(world.blobs[2].clone())];
    let nothing = BTreeSet::new();
    here.look(&nothing).await;
    assert_eq!(sweep_for(&mut here, 30, &nothing, &members).await, 0, "nobody has said yet what it lacks");
    there[0].look(&nothing).await;
    assert_eq!(sweep_for(&mut here, 3, &nothing, &members).await, 0, "one has not said");
    // A shard that names it has come to the third node, which cannot fetch it for now.
    let named = BTreeSet::from([id]);
    world.disks[2].full.store(true, Ordering::SeqCst);
    assert_eq!(there[1].look(&named).await, 1);
    assert_eq!(sweep_for(&mut here, 3, &nothing, &members).await, 0, "the third lacks it");
    world.disks[2].full.store(false, Ordering::SeqCst);
    assert_eq!(there[1].look(&named).await, 0);
    assert_eq!(sweep_for(&mut here, 1, &nothing, &members).await, 1);
    assert_eq!(world.holders(id), [2], "where it is named it stays");
}
