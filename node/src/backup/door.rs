//! Where a running node hands out a backup of itself: a socket in its home, which only the owner of the home can reach.
//!
//! Not over REST, since a backup holds keys, and an administrator's token must not be enough to carry them away.

use super::archive::ArchiveWriter;
use super::contents::{BLOBS, HOME, MANIFEST, MANIFEST_SCHEMA, Manifest, group_part};
use crate::cluster::ClusterMembership;
use crate::version::VERSION;
use octopussy_core::time::Clock;
use octopussy_shard::ShardHost;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long whoever takes a backup may let the node wait.
const SILENCE: Duration = Duration::from_secs(60);

/// The files of the home that a restore needs; what follows from the cluster's keys is made anew.
const HOME_FILES: [&str; 2] = ["config.yaml", "cluster/data.key"];
/// A folder of which it needs every file.
const SECRETS: &str = "secrets";

/// Where a running node with this home hands out its backup.
pub(crate) fn socket(home: &Path) -> PathBuf {
    home.join("run").join("backup.sock")
}

/// Hands out backups, one after the other.
pub(crate) struct BackupDoor {
    /// The home.
    pub(crate) home: PathBuf,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// What the node is in its cluster.
    pub(crate) member: ClusterMembership,
    /// The node's id.
    pub(crate) node: String,
    /// The groups.
    pub(crate) shards: Arc<ShardHost>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

impl BackupDoor {
    /// Serves until told to stop. Without the socket the node goes on, and cannot be backed up.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let path = socket(&self.home);
        let listener = match listen(&path) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "no backups can be taken of this node while it runs");
                return;
            }
        };
        let door = Arc::new(self);
        loop {
            let stream = tokio::select! {
                () = stopping.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::debug!(%error, "nobody could be let in for a backup");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        continue;
                    }
                },
            };
            let (door, runtime) = (door.clone(), Handle::current());
            let taken = tokio::task::spawn_blocking(move || door.hand_out(stream.into_std()?, &runtime)).await;
            match taken {
                Ok(Ok(())) => tracing::info!("a backup of this node was taken"),
                Ok(Err(error)) => tracing::warn!(%error, "a backup of this node was not taken to its end"),
                Err(error) => tracing::warn!(%error, "a backup of this node was not taken"),
            }
        }
        let _removed = std::fs::remove_file(&path);
    }

    fn hand_out(&self, stream: UnixStream, runtime: &Handle) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(SILENCE))?;
        let mut archive = ArchiveWriter::new(BufWriter::new(stream))?;
        let groups = self.shards.stored_groups();
        archive.whole_part(MANIFEST, &serde_json::to_vec_pretty(&self.manifest(groups.clone()))?)?;
        for path in self.home_files()? {
            let content = std::fs::read(self.home.join(&path))?;
            archive.whole_part(&format!("{HOME}{path}"), &content)?;
        }
        for group in groups {
            self.group(group, &mut archive, runtime)?;
        }
        // After the groups: what they name is there.
        self.blobs(&mut archive)?;
        archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.flush()
    }

    fn manifest(&self, groups: Vec<u16>) -> Manifest {
        let control = self.shards.control();
        Manifest {
            schema: MANIFEST_SCHEMA,
            version: VERSION.to_owned(),
            cluster: self.member.cluster.clone(),
            shards: control.cluster.as_ref().map_or(0, |cluster| cluster.shards.get()),
            node: self.node.clone(),
            name: self.member.name.clone(),
            zone: self.member.zone.clone(),
            capacity: self.member.capacity,
            taken_at: self.clock.now(),
            groups,
        }
    }

    fn home_files(&self) -> io::Result<Vec<String>> {
        let mut files: Vec<String> =
            HOME_FILES.iter().filter(|file| self.home.join(file).is_file()).map(|file| (*file).to_owned()).collect();
        let listed = match std::fs::read_dir(self.home.join(SECRETS)) {
            Ok(listed) => listed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(files),
            Err(error) => return Err(error),
        };
        for entry in listed {
            let entry = entry?;
            // A file that is just being replaced has another name meanwhile.
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && super::contents::is_plain(&name) {
                files.push(format!("{SECRETS}/{name}"));
            }
        }
        files.sort();
        Ok(files)
    }

    fn group(&self, group: u16, archive: &mut ArchiveWriter<impl Write>, runtime: &Handle) -> io::Result<()> {
        let mut image = runtime.block_on(self.shards.image(group)).map_err(io::Error::other)?;
        let (name, length) = (group_part(group, image.position), image.bytes);
        archive.part(&name, length, || {
            let next = runtime.block_on(image.next()).map_err(io::Error::other)?;
            Ok(next.map(|bytes| bytes.to_vec()))
        })
    }

    fn blobs(&self, archive: &mut ArchiveWriter<impl Write>) -> io::Result<()> {
        let root = self.data.join("blobs");
        for folder in std::fs::read_dir(&root)? {
            let folder = folder?;
            // Those of drafts have longer names.
            if folder.file_name().len() != 2 {
                continue;
            }
            for file in std::fs::read_dir(folder.path())? {
                let file = file?;
                let name = file.file_name().to_string_lossy().into_owned();
                let mut content = match File::open(file.path()) {
                    Ok(content) => content,
                    // It was collected meanwhile: nothing names it.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                let length = content.metadata()?.len();
                archive.read_part(&format!("{BLOBS}{name}"), length, &mut content)?;
            }
        }
        Ok(())
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}
