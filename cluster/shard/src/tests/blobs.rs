//! The blob store, and what is to be in it.

use super::support::*;
use crate::FileBlobs;
use bytes::Bytes;
use octopussy_core::agent::{AgentRecord, Document};
use octopussy_core::ids::BlobId;
use octopussy_core::message::{DEFAULT_TTL, Priority};
use octopussy_core::ports::{BlobError, BlobPort, MAX_BLOB_BYTES};
use octopussy_core::task::{NewTask, Outcome};
use std::collections::BTreeSet;

#[tokio::test]
async fn content_comes_back_and_damage_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = FileBlobs::open(dir.path()).unwrap();
    let content = Bytes::from_static(b"a document");
    let id = blobs.put(content.clone()).await.unwrap();
    assert_eq!(id, BlobId::of(&content));
    assert_eq!(blobs.put(content.clone()).await.unwrap(), id);
    assert_eq!(blobs.get(id).await.unwrap(), Some(content.clone()));
    assert_eq!(blobs.get(BlobId([0; 32])).await.unwrap(), None);

    let name = id.to_string();
    let path = dir.path().join("blobs").join(&name[..2]).join(&name);
    std::fs::write(&path, b"something else").unwrap();
    assert!(matches!(blobs.get(id).await, Err(BlobError::Damaged(found)) if found == id));
    blobs.put(content.clone()).await.unwrap();
    assert_eq!(blobs.get(id).await.unwrap(), Some(content), "storing it again mends it");
}

#[tokio::test]
async fn too_much_is_refused_and_drafts_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = FileBlobs::open(dir.path()).unwrap();
    let large = Bytes::from(vec![0; MAX_BLOB_BYTES + 1]);
    assert!(matches!(blobs.put(large).await, Err(BlobError::TooLarge { .. })));
    let draft = dir.path().join("blobs/drafts/7");
    std::fs::write(&draft, b"half").unwrap();
    drop(FileBlobs::open(dir.path()).unwrap());
    assert!(!draft.exists());
}

fn document(number: u16) -> Document {
    Document { name: "a.md".to_owned(), blob: BlobId::of(&number.to_be_bytes()), bytes: 2 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_agents_and_unended_tasks_name_is_to_be_here() {
    /// More than a page of a listing in each of four shards.
    const AGENTS: u16 = 2_400;
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let blobs = |numbers: std::ops::Range<u16>| numbers.map(|number| document(number).blob).collect::<BTreeSet<_>>();
    let creation = |number: u16| {
        node.create_agent(AgentRecord { documents: [document(number)].into(), ..agent(&format!("agent-{number}")) })
    };
    let agents = futures::future::join_all((0..AGENTS).map(creation)).await;
    assert_eq!(node.host.named_blobs().await.unwrap(), blobs(0..AGENTS));
    let payload = serde_json::json!({ "input": "Read this.", "documents": [document(AGENTS)] });
    let message = message_that_says(&payload, agents[0], Priority::Normal, START, DEFAULT_TTL);
    let task = NewTask { message: message.clone(), ..new_task(agents[0]) };
    let id = task.id;
    node.accept(task).await.unwrap();
    assert_eq!(node.host.named_blobs().await.unwrap(), blobs(0..AGENTS + 1));
    node.begin(id).await.unwrap();
    node.end(id, Outcome::Succeeded(message)).await.unwrap();
    assert_eq!(node.host.named_blobs().await.unwrap(), blobs(0..AGENTS), "an ended task needs nothing");
    node.close().await;
}

#[tokio::test]
async fn a_blob_that_is_stored_again_is_young_again_and_only_old_ones_go() {
    const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
    let dir = tempfile::tempdir().unwrap();
    let blobs = FileBlobs::open(dir.path()).unwrap();
    let content = Bytes::from_static(b"a document");
    let id = blobs.put(content.clone()).await.unwrap();
    let name = id.to_string();
    let path = dir.path().join("blobs").join(&name[..2]).join(&name);
    let age = || {
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::now() - DAY * 2).unwrap();
    };
    let old = || async { blobs.older_than(DAY).await.unwrap() };
    assert_eq!(old().await, []);
    assert!(!blobs.remove(id, DAY).await.unwrap(), "it is young");
    age();
    assert_eq!(old().await, [id]);
    blobs.put(content).await.unwrap();
    assert_eq!(old().await, []);
    age();
    assert!(blobs.renew(id).await.unwrap());
    assert_eq!(old().await, []);
    age();
    assert!(blobs.remove(id, DAY).await.unwrap());
    assert_eq!(blobs.get(id).await.unwrap(), None);
    assert!(!blobs.renew(id).await.unwrap());
}
