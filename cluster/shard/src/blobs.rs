//! Blobs as files: `blobs/aa/<sha256>`.

use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::ids::BlobId;
use octopussy_core::ports::{BlobError, BlobPort, MAX_BLOB_BYTES};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A blob store in a directory. Implements `BlobPort`. Cloning is cheap enough: it holds a path.
#[derive(Debug)]
pub struct FileBlobs {
    root: PathBuf,
    /// Numbers the temporary files of this process.
    drafts: AtomicU64,
}

impl FileBlobs {
    /// Opens the store in `<data>/blobs`, or makes it; drafts that a crash left behind are removed.
    ///
    /// # Errors
    /// [`BlobError::Io`] or [`BlobError::DiskFull`] when the directory cannot be made or read.
    pub fn open(data: &Path) -> Result<Self, BlobError> {
        let root = data.join("blobs");
        let drafts = root.join("drafts");
        fs::create_dir_all(&drafts).map_err(convert)?;
        for draft in fs::read_dir(&drafts).map_err(convert)? {
            fs::remove_file(draft.map_err(convert)?.path()).map_err(convert)?;
        }
        Ok(Self { root, drafts: AtomicU64::new(0) })
    }

    fn path(&self, id: BlobId) -> PathBuf {
        let name = id.to_string();
        let (folder, _) = name.split_at(2);
        self.root.join(folder).join(&name)
    }

    fn draft(&self) -> PathBuf {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        self.root.join("drafts").join(number.to_string())
    }
}

/// Writes `content` beside its place and moves it there, so that a blob is whole or absent after a crash.
fn store(draft: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut file = File::create(draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    let new_folder = !folder.exists();
    fs::create_dir_all(folder)?;
    fs::rename(draft, path)?;
    File::open(folder)?.sync_all()?;
    if new_folder && let Some(root) = folder.parent() {
        File::open(root)?.sync_all()?;
    }
    Ok(())
}

fn load(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    // One byte more than allowed: a file that is too long is damaged, and need not be read to its end.
    Read::by_ref(&mut file).take(MAX_BLOB_BYTES as u64 + 1).read_to_end(&mut content)?;
    Ok(Some(content))
}

fn convert(error: io::Error) -> BlobError {
    let full =
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge);
    if full { BlobError::DiskFull } else { BlobError::Io(error) }
}

async fn blocking<T: Send + 'static>(
    action: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(action).await.unwrap_or_else(|error| Err(BlobError::Io(io::Error::other(error))))
}

#[async_trait]
impl BlobPort for FileBlobs {
    async fn put(&self, content: Bytes) -> Result<BlobId, BlobError> {
        if content.len() > MAX_BLOB_BYTES {
            return Err(BlobError::TooLarge { actual: content.len() });
        }
        let draft = self.draft();
        let id = BlobId::of(&content);
        let path = self.path(id);
        blocking(move || {
            // A damaged one is written anew.
            if load(&path).map_err(convert)?.is_some_and(|stored| stored == content) {
                return Ok(id);
            }
            store(&draft, &path, &content).map_err(|error| {
                let _ = fs::remove_file(&draft);
                convert(error)
            })?;
            Ok(id)
        })
        .await
    }

    async fn get(&self, id: BlobId) -> Result<Option<Bytes>, BlobError> {
        let path = self.path(id);
        blocking(move || {
            let Some(content) = load(&path).map_err(convert)? else { return Ok(None) };
            if content.len() > MAX_BLOB_BYTES || BlobId::of(&content) != id {
                return Err(BlobError::Damaged(id));
            }
            Ok(Some(Bytes::from(content)))
        })
        .await
    }
}
