//! Where a running node hands out a backup of itself: a socket in its home, which only the owner of the home can reach.
//!
//! Not over REST, since a backup holds keys, and an administrator's token must not be enough to carry them away.

use super::archive::ArchiveWriter;
use super::contents::{BLOBS, HOME, HOME_FILES, LOST, MANIFEST, MANIFEST_SCHEMA, Manifest, group_part};
use super::socket::{listen, remove, socket};
use crate::cluster::{ClusterMembership, hex};
use crate::identity::PresentIdentity;
use crate::private_file;
use crate::version::VERSION;
use octopussy_core::ids::{BlobId, NodeId, ShardId};
use octopussy_core::ports::{BlobError, BlobPort, MemberRole};
use octopussy_core::time::Clock;
use octopussy_placement::Group;
use octopussy_shard::{IMAGE_FORMAT, ShardHost};
use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How long whoever takes a backup may read nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// How long it may take to tell somebody that it is not their turn.
const TELL_WITHIN: Duration = Duration::from_secs(1);
/// The pause after nobody could be let in.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Hands out backups, one at a time: each takes room for an image of the largest shard on the node's disk.
pub(crate) struct BackupDoor {
    /// The home.
    pub(crate) home: PathBuf,
    /// What the node is in its cluster.
    pub(crate) member: ClusterMembership,
    /// The node's id.
    pub(crate) node: NodeId,
    /// Under which authority.
    pub(crate) identity: PresentIdentity,
    /// The groups.
    pub(crate) shards: Arc<ShardHost>,
    /// The documents, of this node and of the others.
    pub(crate) blobs: Arc<dyn BlobPort>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

impl BackupDoor {
    /// Serves until told to stop. Without the socket the node goes on, and cannot be backed up.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let home = self.home.clone();
        let listener = match listen(&home) {
            Ok(listener) => listener,
            Err(error) => {
                let path = socket(&home);
                tracing::warn!(path = %path.display(), %error, "no backups can be taken of this node while it runs");
                return;
            }
        };
        let door = Arc::new(self);
        let mut serving: Option<(JoinHandle<()>, UnixStream)> = None;
        loop {
            let accepted = tokio::select! {
                () = stopping.cancelled() => break,
                () = finished(&mut serving) => {
                    serving = None;
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let begun = match accepted {
                Ok((mut stream, _)) if serving.is_some() => {
                    let told = tell(&mut stream, "somebody else is taking a backup of this node");
                    let _late = tokio::time::timeout(TELL_WITHIN, told).await;
                    continue;
                }
                Ok((stream, _)) => door.begin(stream, &stopping),
                Err(error) => Err(error),
            };
            match begun {
                Ok(begun) => serving = Some(begun),
                Err(error) => {
                    tracing::debug!(%error, "nobody could be let in for a backup");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
        // Nobody who reads slowly keeps the node from stopping.
        if let Some((task, stream)) = serving {
            let _gone = stream.shutdown(Shutdown::Both);
            let _panicked = task.await;
        }
        let _removed = remove(&home);
    }

    /// Begins to hand out a backup; the connection is returned as well, so that it can be cut off.
    fn begin(
        self: &Arc<Self>,
        stream: tokio::net::UnixStream,
        stopping: &CancellationToken,
    ) -> io::Result<(JoinHandle<()>, UnixStream)> {
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(SILENCE))?;
        let (held, whole) = (stream.try_clone()?, stream.try_clone()?);
        let (door, stopping, runtime) = (self.clone(), stopping.clone(), Handle::current());
        let task = tokio::task::spawn_blocking(move || {
            match door.hand_out(stream, &runtime, &stopping) {
                Ok(()) => tracing::info!("a backup of this node was handed out"),
                Err(error) => tracing::warn!(%error, "a backup of this node was not handed out to its end"),
            }
            // Whoever reads waits for the end of it.
            let _gone = whole.shutdown(Shutdown::Write);
        });
        Ok((task, held))
    }

    /// Writes the backup; when something is wrong with the node, whoever reads it is told.
    fn hand_out(&self, stream: UnixStream, runtime: &Handle, stopping: &CancellationToken) -> io::Result<()> {
        let mut archive = ArchiveWriter::new(BufWriter::new(stream))?;
        match self.write(&mut archive, runtime, stopping) {
            Ok(()) => archive.finish().map(drop),
            Err(error) => {
                let _gone = archive.abandon(&error.to_string());
                Err(error)
            }
        }
    }

    fn write(
        &self,
        archive: &mut ArchiveWriter<impl Write>,
        runtime: &Handle,
        stopping: &CancellationToken,
    ) -> io::Result<()> {
        if self.member.role == MemberRole::Guest {
            return Err(io::Error::other(
                "this node is a guest: it holds no shards and no keys; take backups of full members",
            ));
        }
        let goes_on = || if stopping.is_cancelled() { Err(io::Error::other("the node is stopping")) } else { Ok(()) };
        let groups = self.groups();
        let manifest = serde_json::to_vec_pretty(&self.manifest(groups.clone()))?;
        archive.part(MANIFEST, manifest.len() as u64, &mut manifest.as_slice())?;
        for path in HOME_FILES {
            let at = self.home.join(path);
            let read = private_file::read(&at);
            let read = read.map_err(|error| io::Error::other(format!("cannot read {}: {error}", at.display())))?;
            // What was never made is made by the first start.
            let Some(content) = read.map(Zeroizing::new) else { continue };
            archive.part(&format!("{HOME}{path}"), content.len() as u64, &mut content.as_slice())?;
        }
        for group in groups {
            goes_on()?;
            let mut image = runtime.block_on(self.shards.image(group)).map_err(io::Error::other)?;
            archive.part(&group_part(group, image.position), image.bytes, &mut image)?;
        }
        // After the groups: what they name is there.
        let named = runtime.block_on(self.shards.named_blobs()).map_err(io::Error::other)?;
        let stored = runtime.block_on(self.blobs.older_than(Duration::ZERO)).map_err(io::Error::other)?;
        let all: BTreeSet<BlobId> = named.iter().copied().chain(stored).collect();
        for id in all {
            goes_on()?;
            self.document(id, named.contains(&id), archive, runtime)?;
        }
        Ok(())
    }

    /// Writes a document, wherever it is had from; each is in memory as a whole, and compared with its id.
    fn document(
        &self,
        id: BlobId,
        named: bool,
        archive: &mut ArchiveWriter<impl Write>,
        runtime: &Handle,
    ) -> io::Result<()> {
        match runtime.block_on(self.blobs.get(id)) {
            Ok(Some(content)) => archive.part(&format!("{BLOBS}{id}"), content.len() as u64, &mut content.as_ref()),
            Ok(None) | Err(BlobError::Damaged(_)) if named => {
                tracing::warn!(blob = %id, "a document is not in the backup: no node has it whole");
                archive.part(&format!("{LOST}{id}"), 0, &mut io::empty())
            }
            // It was collected meanwhile, or nobody would miss it.
            Ok(None) | Err(BlobError::Damaged(_)) => Ok(()),
            Err(error @ (BlobError::TooLarge { .. } | BlobError::DiskFull | BlobError::Io(_))) => {
                Err(io::Error::other(format!("the document {id} cannot be read: {error}")))
            }
        }
    }

    /// The groups of which this node holds a replica that counts. One that is on its way, here or away, may be far behind.
    fn groups(&self) -> Vec<u16> {
        let control = self.shards.control();
        let counts = |group: &u16| match group.checked_sub(1) {
            None => true,
            Some(shard) => control.place(ShardId(shard)).is_some_and(|place| place.current.names(self.node)),
        };
        self.shards.stored_groups().into_iter().filter(counts).collect()
    }

    fn leaderless(&self, groups: &[u16]) -> Vec<u16> {
        let views = self.shards.groups().into_iter().filter(|view| view.leader.is_none());
        let numbers = views.map(|view| match view.group {
            Group::Control => 0,
            Group::Shard(shard) => shard.0 + 1,
        });
        numbers.filter(|group| groups.contains(group)).collect()
    }

    fn manifest(&self, groups: Vec<u16>) -> Manifest {
        let control = self.shards.control();
        Manifest {
            schema: MANIFEST_SCHEMA,
            version: VERSION.to_owned(),
            format: IMAGE_FORMAT,
            cluster: self.member.cluster.clone(),
            authority: hex(&self.identity.fingerprint()),
            shards: control.cluster.as_ref().map_or(0, |cluster| cluster.shards.get()),
            node: self.node.to_string(),
            name: self.member.name.clone(),
            zone: self.member.zone.clone(),
            capacity: self.member.capacity,
            taken_at: self.clock.now(),
            leaderless: self.leaderless(&groups),
            groups,
        }
    }
}

/// Ends with what is being served, and never while nothing is.
async fn finished(serving: &mut Option<(JoinHandle<()>, UnixStream)>) {
    match serving {
        Some((task, _)) => drop(task.await),
        None => std::future::pending().await,
    }
}

/// Tells somebody why there is no backup for them now.
async fn tell(stream: &mut tokio::net::UnixStream, reason: &str) -> io::Result<()> {
    let bytes = ArchiveWriter::new(Vec::new())?.abandon(reason)?;
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}
