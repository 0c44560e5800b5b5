//! Makes a new home of backups.

use super::archive::ArchiveError;
use super::contents::{BLOBS, CONFIG, Manifest, blob_of, home_file};
use super::draft::{Draft, make_folder};
use super::survey::{BackupError, Survey, open};
use crate::cluster::{ClusterHome, ClusterMembership, HomeLives, from_hex};
use crate::failure::Failure;
use crate::host::settings_of;
use crate::identity::{self, AuthorityKey, Identity};
use anyhow::Context;
use octopussy_control::MemberRecord;
use octopussy_core::ports::{MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Where the groups' images lie until they are taken.
const IMAGES: &str = "images";

/// What was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    /// The new cluster.
    pub(crate) cluster: String,
    /// The node's name in it.
    pub(crate) name: String,
    /// How many shards.
    pub(crate) shards: usize,
}

/// Makes `home`, where nothing is yet, of whole backups: a new cluster of one node, which has all that the old one had. It is
/// there at once or not at all. Blocks.
///
/// # Errors
/// Why not; `home` is as it was.
pub(crate) fn restore_cluster(
    home: &Path,
    survey: &Survey,
    runtime: &Handle,
    stopping: &CancellationToken,
) -> anyhow::Result<Restored> {
    survey.complete().map_err(refused)?;
    let draft = Draft::begin(home)?;
    let restored = fill(draft.path(), survey, runtime, stopping)?;
    draft.finish()?;
    Ok(restored)
}

/// Makes `home`, where nothing is yet, of the settings in a backup: for a machine that joins with them, and founds nothing. Blocks.
///
/// # Errors
/// Why not; `home` is as it was.
pub(crate) fn restore_settings(home: &Path, survey: &Survey, stopping: &CancellationToken) -> anyhow::Result<()> {
    let (path, manifest) = newest(survey)?;
    let authority = from_hex(&manifest.authority)
        .with_context(|| format!("{}: its authority has no fingerprint", path.display()))?;
    let draft = Draft::begin(home)?;
    let mut found = false;
    let config = draft.path().join(CONFIG);
    extract(path, stopping, |part| {
        let wanted = home_file(part) == Some(CONFIG);
        found |= wanted;
        wanted.then(|| config.clone())
    })
    .map_err(refused)?;
    if !found {
        return Err(Failure::new(format!("{} has no {CONFIG}", path.display())).into());
    }
    // A start that forgets the token must not found another cluster.
    ClusterHome::of(draft.path()).set_to_join(&authority)?;
    draft.finish()?;
    Ok(())
}

/// The newest backup: its settings count, and its secrets.
fn newest(survey: &Survey) -> anyhow::Result<(&Path, &Manifest)> {
    survey.files.first().map(|(path, manifest)| (path.as_path(), manifest)).context("there is no backup")
}

fn refused(error: BackupError) -> anyhow::Error {
    Failure::new(error.to_string()).hint("nothing was restored").into()
}

fn fill(home: &Path, survey: &Survey, runtime: &Handle, stopping: &CancellationToken) -> anyhow::Result<Restored> {
    let (_, manifest) = newest(survey)?;
    let images = unpack(home, survey, stopping)?;
    let settings = settings_of(home)?;
    let identity = identity::load_or_create(home, AuthorityKey::Held, &settings.names)
        .context("an identity of its own cannot be made for the home")?;
    // The restore is the first life of the home.
    make_folder(&settings.groups.dir)?;
    let lives = HomeLives::begin(&settings.groups.dir)?;
    let (cluster, record) = (identity.cluster_id.clone(), record(&identity, manifest));
    let restored =
        octopussy_shard::restore(&settings.groups, identity.node_id, lives.life().epoch, &images, move |control| {
            control.begin_anew(cluster, record)
        });
    runtime.block_on(async {
        tokio::select! {
            restored = restored => restored.map_err(|error| {
                let room = "nothing was restored; while it lasts it takes twice as much room as the backups";
                Failure::new(error.to_string()).hint(room)
            }),
            () = stopping.cancelled() => Err(Failure::new("it was interrupted")),
        }
    })?;
    std::fs::remove_dir_all(home.join(IMAGES)).context("the images cannot be removed")?;
    ClusterHome::of(home).set_membership(&ClusterMembership {
        cluster: identity.cluster_id.clone(),
        name: manifest.name.clone(),
        role: MemberRole::Full,
        founder: true,
        capacity: manifest.capacity,
        zone: manifest.zone.clone(),
        settled: true,
        removed: false,
    })?;
    let shards = images.len().saturating_sub(1);
    Ok(Restored { cluster: identity.cluster_id, name: manifest.name.clone(), shards })
}

/// The node as the only member of the new cluster. Where it is reached, and its weight, it tells at its first start.
fn record(identity: &Identity, manifest: &Manifest) -> MemberRecord {
    MemberRecord {
        id: identity.node_id,
        name: manifest.name.clone(),
        addresses: Vec::new(),
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: manifest.capacity.unwrap_or(1).max(1),
        zone: manifest.zone.clone(),
        versions: crate::host::VERSIONS,
        joined_at: Timestamp::EPOCH,
    }
}

/// Writes everything that is in the backups to its place; the groups' images, by group, wait to be taken.
fn unpack(home: &Path, survey: &Survey, stopping: &CancellationToken) -> anyhow::Result<BTreeMap<u16, PathBuf>> {
    let (newest, _) = newest(survey)?;
    let mut images = BTreeMap::new();
    for (path, _) in &survey.files {
        let of_file = survey.groups.iter().filter(|(_, (file, _))| file == path);
        let groups: BTreeMap<&str, u16> = of_file.map(|(group, (_, part))| (part.as_str(), *group)).collect();
        extract(path, stopping, |part| {
            if let Some(group) = groups.get(part) {
                let place = home.join(IMAGES).join(group.to_string());
                images.insert(*group, place.clone());
                return Some(place);
            }
            if let Some(id) = blob_of(part, BLOBS) {
                let name = id.to_string();
                let place = home.join("data").join("blobs").join(&name[..2]).join(&name);
                return (!place.exists()).then_some(place);
            }
            home_file(part).filter(|_| path == newest).map(|file| home.join(file))
        })
        .map_err(refused)?;
    }
    Ok(images)
}

/// Writes the parts for which `place` names a file, privately.
fn extract(
    path: &Path,
    stopping: &CancellationToken,
    mut place: impl FnMut(&str) -> Option<PathBuf>,
) -> Result<(), BackupError> {
    let failed = |error: ArchiveError| BackupError::File { path: path.to_owned(), error };
    let mut archive = open(path, stopping).map_err(failed)?;
    while archive.next(|part| Place::of(place(part))).map_err(failed)?.is_some() {}
    Ok(())
}

/// Where a part goes.
enum Place {
    File(PathBuf, File),
    Nowhere,
}

impl Place {
    fn of(file: Option<PathBuf>) -> io::Result<Self> {
        let Some(path) = file else { return Ok(Self::Nowhere) };
        let opened = make_folder(path.parent().unwrap_or(Path::new("."))).and_then(|()| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(&path)
        });
        match opened {
            Ok(file) => Ok(Self::File(path, file)),
            Err(error) => Err(named(&path, &error)),
        }
    }
}

/// The backup is read at the same time: which file it is about belongs to the error.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("cannot write {}: {error}", path.display()))
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(path, file) => file.write(bytes).map_err(|error| named(path, &error)),
            Self::Nowhere => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(path, file) => file.sync_all().map_err(|error| named(path, &error)),
            Self::Nowhere => Ok(()),
        }
    }
}
