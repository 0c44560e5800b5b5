//! Images of groups that run, and a node that goes on with them alone.

use super::clusters::TestCluster;
use super::disk::{Disk, opener};
use super::support::*;
use crate::backup::restore_with;
use crate::{RestoreError, ShardHost, restore};
use octopussy_control::ControlState;
use octopussy_core::ids::{AgentId, NodeId};
use octopussy_core::message::{DEFAULT_TTL, Priority};
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Outcome, TaskState};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The images of all groups of a node, as files in `folder`, with how far each has come.
async fn images(host: &ShardHost, folder: &Path) -> BTreeMap<u16, (PathBuf, (u64, u64))> {
    let mut files = BTreeMap::new();
    for group in host.stored_groups() {
        let mut image = host.image(group).await.unwrap();
        let mut content = Vec::new();
        image.read_to_end(&mut content).unwrap();
        assert_eq!((image.group, image.bytes), (group, content.len() as u64));
        let path = folder.join(group.to_string());
        std::fs::write(&path, content).unwrap();
        files.insert(group, (path, image.position));
    }
    files
}

fn paths(images: &BTreeMap<u16, (PathBuf, (u64, u64))>) -> BTreeMap<u16, PathBuf> {
    images.iter().map(|(group, (path, _))| (*group, path.clone())).collect()
}

/// Images by group.
type Images = BTreeMap<u16, Vec<u8>>;

fn success(agent: AgentId) -> Outcome {
    Outcome::Succeeded(message(agent, Priority::Normal, START, DEFAULT_TTL))
}

async fn restored(dir: &Path, node: NodeId, images: &BTreeMap<u16, PathBuf>) -> Result<(), RestoreError> {
    restore(&config(dir), node, 1, images, |control| control.begin_anew("another".to_owned(), member(node))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_alone_goes_on_with_the_images_of_a_cluster() {
    let cluster = TestCluster::of(61, 2, 3).await;
    let agent = cluster.node(1).create("alice").await;
    let ended = cluster.node(1).run(agent).await;
    let (running, waiting) = (cluster.node(1).accept_one(agent).await, cluster.node(1).accept_one(agent).await);
    let leader = cluster.leader(cluster.node(1).shard_of(agent)).unwrap();
    cluster.node(leader).begin(running).await.unwrap();
    cluster.node(leader).step(running, 0).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The leader has everything that was acknowledged; the others may be a moment behind.
    let taken = images(&cluster.node(leader).host, folder.path()).await;
    assert_eq!(taken.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert!(taken.values().all(|(_, (term, index))| *term > 0 && *index > 0), "{taken:?}");
    // The cluster goes on, and so does what was taken of it.
    cluster.node(1).run(agent).await;
    let left = std::fs::read_dir(cluster.dir(leader).join("snapshots")).unwrap().count();
    assert_eq!(left, 0, "an image was left behind");
    cluster.close().await;

    let dir = tempfile::tempdir().unwrap();
    restored(dir.path(), node_id(7), &paths(&taken)).await.unwrap();
    assert!(taken.values().all(|(path, _)| !path.exists()), "images take room that nobody needs");
    for start in 0..2 {
        let node = open(dir.path()).await;
        assert_eq!(node.host.control().cluster.as_ref().unwrap().id, "another");
        assert_eq!(node.host.control().members.len(), 1);
        let task = node.ledger.task(ended).await.unwrap().unwrap();
        assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
        if start == 0 {
            // What ran goes on behind the step that it had done, and the node leads with all that it needs.
            node.begin(running).await.unwrap();
            assert_eq!(node.ledger.task(running).await.unwrap().unwrap().steps.len(), 1);
            node.end(running, success(agent)).await.unwrap();
            node.begin(waiting).await.unwrap();
            node.end(waiting, success(agent)).await.unwrap();
        }
        node.run(agent).await;
        node.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_of_images_that_are_damaged_or_do_not_suffice() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = open(home.path()).await;
    node.create("alice").await;
    let taken = images(&node.host, folder.path()).await;
    node.close().await;
    let whole: Images = taken.iter().map(|(group, (path, _))| (*group, std::fs::read(path).unwrap())).collect();
    let attempt = async |change: &dyn Fn(&mut Images)| {
        let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut images = whole.clone();
        change(&mut images);
        let mut files = BTreeMap::new();
        for (group, content) in images {
            let path = folder.path().join(group.to_string());
            std::fs::write(&path, content).unwrap();
            files.insert(group, path);
        }
        restored(dir.path(), node_id(9), &files).await
    };
    attempt(&|_| {}).await.unwrap();
    let missing = attempt(&|images| drop(images.remove(&2))).await;
    assert!(matches!(missing, Err(RestoreError::Missing(2))), "{missing:?}");
    let missing = attempt(&|images| drop(images.remove(&0))).await;
    assert!(matches!(missing, Err(RestoreError::Missing(0))), "{missing:?}");
    let damaged = attempt(&|images| {
        let image = images.get_mut(&1).unwrap();
        let middle = image.len() / 2;
        image[middle] ^= 1;
    });
    let damaged = damaged.await;
    assert!(matches!(damaged, Err(RestoreError::Group { group: 1, .. })), "{damaged:?}");
    let another = attempt(&|images| drop(images.insert(2, images[&1].clone()))).await;
    assert!(matches!(another, Err(RestoreError::Group { group: 2, .. })), "{another:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_onto_a_disk_that_is_full_ends_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let node = open(home.path()).await;
    let id = node_id(9);
    for file in ["log", "state.redb"] {
        let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let taken = images(&node.host, folder.path()).await;
        let disk = Arc::new(Disk::default());
        // The log is written before the state is changed, and the state after that.
        disk.full.store(file == "log", Ordering::SeqCst);
        let change = |control: &mut ControlState| {
            control.begin_anew("another".to_owned(), member(id));
            disk.full.store(true, Ordering::SeqCst);
        };
        let (config, paths) = (config(dir.path()), paths(&taken));
        let restoring = restore_with(&config, id, 1, &paths, change, opener([(file, &disk)]));
        let restored = tokio::time::timeout(LIMIT, restoring).await.expect("it waits for room");
        let full = matches!(restored, Err(RestoreError::Store(ProposeError::DiskFull) | RestoreError::Open(_)));
        assert!(full, "{file}: {restored:?}");
    }
    node.close().await;
}
