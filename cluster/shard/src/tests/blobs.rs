//! The blob store.

use crate::FileBlobs;
use bytes::Bytes;
use octopussy_core::ids::BlobId;
use octopussy_core::ports::{BlobError, BlobPort, MAX_BLOB_BYTES};

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
