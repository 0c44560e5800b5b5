//! Blobs as files: `blobs/aa/<sha256>`.

use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::ids::BlobId;
use octopussy_core::ports::{BlobError, BlobPort, MAX_BLOB_BYTES};
use parking_lot::Mutex;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A blob store in a directory. Implements `BlobPort`. Cloning is cheap enough: it holds a path.
#[derive(Debug)]
pub struct FileBlobs {
    root: PathBuf,
    /// Numbers the temporary files of this process.
    drafts: AtomicU64,
    /// Held while a file is renewed or removed, so that none goes that was just counted on.
    turn: Arc<Mutex<()>>,
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
        Ok(Self { root, drafts: AtomicU64::new(0), turn: Arc::default() })
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

/// Notes that the file is stored again. No, when it has gone meanwhile.
fn touch(path: &Path, turn: &Mutex<()>) -> bool {
    let _turn = turn.lock();
    let touched = File::options().write(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
    touched.is_ok()
}

/// How long ago the file was last stored; none when that cannot be told.
fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).and_then(|file| file.modified()).ok()?.elapsed().ok()
}

/// The blobs in a directory whose files are older.
fn older(root: &Path, than: Duration) -> io::Result<Vec<BlobId>> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root)? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() || folder.file_name() == "drafts" {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let file = file?;
            let id = file.file_name().to_str().and_then(|name| name.parse::<BlobId>().ok());
            found.extend(id.filter(|_| age(&file.path()).is_some_and(|age| age > than)));
        }
    }
    Ok(found)
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
        let turn = Arc::clone(&self.turn);
        blocking(move || {
            // A damaged one is written anew, and so is one that has just gone.
            if load(&path).map_err(convert)?.is_some_and(|stored| stored == content) && touch(&path, &turn) {
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

    async fn older_than(&self, age: Duration) -> Result<Vec<BlobId>, BlobError> {
        let root = self.root.clone();
        blocking(move || older(&root, age).map_err(convert)).await
    }

    async fn remove(&self, id: BlobId, unless_within: Duration) -> Result<bool, BlobError> {
        let path = self.path(id);
        let turn = Arc::clone(&self.turn);
        blocking(move || {
            let _turn = turn.lock();
            if age(&path).is_none_or(|age| age <= unless_within) {
                return Ok(false);
            }
            fs::remove_file(&path).map_err(convert)?;
            Ok(true)
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
