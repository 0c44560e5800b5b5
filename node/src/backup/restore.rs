//! Makes a new home of backups.

use super::archive::ArchiveError;
use super::contents::{BLOBS, HOME, is_blob, is_plain};
use super::survey::{BackupError, Survey, open};
use crate::cluster::{ClusterHome, ClusterMembership};
use crate::failure::Failure;
use crate::host::settings_of;
use crate::identity::{self, AuthorityKey};
use anyhow::Context;
use octopussy_control::MemberRecord;
use octopussy_core::ports::{MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    /// The new cluster.
    pub(crate) cluster: String,
    /// The node's name in it.
    pub(crate) name: String,
    /// How many shards.
    pub(crate) shards: usize,
    /// How many documents.
    pub(crate) documents: usize,
}

/// Makes `home`, which must not exist yet, of whole backups: a new cluster of one node, which has all that the old one had. It is
/// there at once or not at all.
///
/// # Errors
/// Why not; `home` is as it was.
pub(crate) async fn restore_cluster(home: &Path, survey: &Survey) -> anyhow::Result<Restored> {
    survey.complete()?;
    let draft = begin(home)?;
    let restored = fill(&draft, survey).await?;
    finish(&draft, home)?;
    Ok(restored)
}

/// Makes `home`, which must not exist yet, of the settings in a backup: for a machine that joins with them.
///
/// # Errors
/// Why not; `home` is as it was.
pub(crate) fn restore_settings(home: &Path, survey: &Survey) -> anyhow::Result<()> {
    let draft = begin(home)?;
    let (path, _) = survey.files.first().context("there is no backup")?;
    extract(path, |part| (part == "home/config.yaml").then(|| draft.join("config.yaml")))?;
    finish(&draft, home)
}

/// A folder beside the new home, for as long as that is not whole.
fn begin(home: &Path) -> anyhow::Result<PathBuf> {
    let taken = std::fs::read_dir(home).is_ok_and(|mut entries| entries.next().is_some());
    if taken || home.is_file() {
        return Err(anyhow::Error::new(
            Failure::new(format!("{} is there already: a backup is restored into a new home", home.display()))
                .hint("name another one with --home DIR, or move this one away"),
        ));
    }
    let mut name = home.file_name().context("the home directory has no name")?.to_owned();
    name.push(".restoring");
    let draft = home.with_file_name(name);
    match std::fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", draft.display()));
        }
        Ok(()) | Err(_) => {}
    }
    folder(&draft).with_context(|| format!("cannot make {}", draft.display()))?;
    Ok(draft)
}

fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn finish(draft: &Path, home: &Path) -> anyhow::Result<()> {
    // An empty folder may stand where the home is to be.
    let _empty = std::fs::remove_dir(home);
    std::fs::rename(draft, home).with_context(|| format!("cannot move {} to {}", draft.display(), home.display()))?;
    let above = home.parent().unwrap_or(Path::new("/"));
    File::open(above).and_then(|folder| folder.sync_all()).with_context(|| format!("cannot sync {}", above.display()))
}

async fn fill(home: &Path, survey: &Survey) -> anyhow::Result<Restored> {
    let (newest, manifest) = survey.files.first().context("there is no backup")?;
    let mut images = BTreeMap::new();
    let images_at = home.join("images");
    let mut documents = 0;
    for (path, _) in &survey.files {
        let groups: BTreeMap<&str, u16> = survey
            .groups
            .iter()
            .filter(|(_, (file, _))| file == path)
            .map(|(group, (_, part))| (&**part, *group))
            .collect();
        extract(path, |part| {
            if let Some(group) = groups.get(part) {
                let place = images_at.join(group.to_string());
                images.insert(*group, place.clone());
                return Some(place);
            }
            if let Some(name) = part.strip_prefix(BLOBS).filter(|name| is_blob(name)) {
                let place = home.join("data").join("blobs").join(&name[..2]).join(name);
                documents += usize::from(!place.exists());
                return (!place.exists()).then_some(place);
            }
            let file = part.strip_prefix(HOME).filter(|file| path == newest && is_plain(file))?;
            Some(home.join(file))
        })?;
    }
    let settings = settings_of(home)?;
    let identity = identity::load_or_create(home, AuthorityKey::Held, &settings.names)
        .context("an identity of its own cannot be made for the home")?;
    let member = ClusterMembership {
        cluster: identity.cluster_id.clone(),
        name: manifest.name.clone(),
        role: MemberRole::Full,
        founder: true,
        capacity: manifest.capacity,
        zone: manifest.zone.clone(),
        settled: true,
        removed: false,
    };
    let record = MemberRecord {
        id: identity.node_id,
        name: manifest.name.clone(),
        addresses: Vec::new(),
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: manifest.capacity.unwrap_or(1),
        zone: manifest.zone.clone(),
        versions: crate::host::VERSIONS,
        joined_at: Timestamp::EPOCH,
    };
    let cluster = identity.cluster_id.clone();
    octopussy_shard::restore(&settings.groups, identity.node_id, &images, move |control| {
        control.begin_anew(cluster, record);
    })
    .await?;
    std::fs::remove_dir_all(&images_at).context("the images cannot be removed")?;
    ClusterHome::of(home).set_membership(&member)?;
    Ok(Restored { cluster: member.cluster, name: member.name, shards: images.len().saturating_sub(1), documents })
}

/// Writes the parts for which `place` names a file, privately.
fn extract(path: &Path, mut place: impl FnMut(&str) -> Option<PathBuf>) -> Result<(), BackupError> {
    let failed = |error: ArchiveError| BackupError::File { path: path.to_owned(), error };
    let mut archive = open(path).map_err(failed)?;
    while archive
        .next(|part| match place(part) {
            None => Ok(Place::Nowhere),
            Some(file) => {
                folder(file.parent().unwrap_or(Path::new(".")))?;
                let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
                Ok(Place::File(opened))
            }
        })
        .map_err(failed)?
        .is_some()
    {}
    Ok(())
}

enum Place {
    File(File),
    Nowhere,
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Nowhere => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.sync_all(),
            Self::Nowhere => Ok(()),
        }
    }
}
