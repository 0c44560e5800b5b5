//! Takes a backup of the node that runs with a home: reads what it hands out into a file, and looks at the same time whether it is whole.

use super::archive::{ArchiveError, ArchiveReader};
use super::contents::Manifest;
use super::socket::connect;
use super::survey::{Contents, look};
use crate::failure::{Exit, Failure};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

/// How long the node may send nothing: it makes an image of its largest shard meanwhile.
const SILENCE: Duration = Duration::from_secs(600);
/// How often it is looked whether somebody gives up.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A backup that was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its length.
    pub(crate) bytes: u64,
    /// What it is of.
    pub(crate) manifest: Manifest,
    /// How many documents are in it.
    pub(crate) documents: usize,
    /// How many documents are named and could be had from no node.
    pub(crate) lost: usize,
    /// The file's mode, where others have a part in it: the file system keeps no permissions.
    pub(crate) open_to: Option<u32>,
}

/// Takes a backup of the node that runs with `home` into the file `to`, which is not there yet, or into the folder `to`. Blocks.
///
/// # Errors
/// Why there is none; nothing is left behind.
pub(crate) fn take(home: &Path, to: &Path, stopping: &CancellationToken) -> Result<Taken, Failure> {
    let into_folder = to.is_dir();
    // Before the node has any work with it.
    if !into_folder && to.symlink_metadata().is_ok() {
        return Err(exists(to));
    }
    let folder = if into_folder {
        to
    } else {
        to.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
    };
    let node = connect(home).map_err(|error| no_node(&error))?;
    let mut draft = tempfile::Builder::new()
        .prefix(".octopussy-backup-")
        .make_in(folder, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))
        .map_err(|error| Failure::io("cannot write into", folder, &error))?;
    let contents = copy(node, &mut draft, to, stopping)?;
    let unwritten = |error: &io::Error| Failure::io("cannot write", to, error);
    draft.as_file().sync_all().map_err(|error| unwritten(&error))?;
    let met = draft.as_file().metadata().map_err(|error| unwritten(&error))?;
    let file = if into_folder { to.join(name(&contents.manifest)) } else { to.to_owned() };
    draft.persist_noclobber(&file).map_err(|refused| {
        let taken = refused.error.kind() == ErrorKind::AlreadyExists;
        if taken { exists(&file) } else { unwritten(&refused.error) }
    })?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Failure::io("cannot sync", folder, &error))?;
    let (documents, lost) = contents.counts();
    let mode = met.permissions().mode() & 0o777;
    let open_to = (mode & 0o077 != 0).then_some(mode);
    Ok(Taken { file, bytes: met.len(), manifest: contents.manifest, documents, lost, open_to })
}

fn exists(file: &Path) -> Failure {
    Failure::new(format!("{} is there already, and is left as it is", file.display()))
        .hint("name another file, or a folder: a file in it is named after the node and the moment")
}

fn no_node(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::PermissionDenied {
        return Failure::new(format!("this user may not take a backup of this home: {error}"))
            .exit(Exit::Denied)
            .hint("run it as the user that the node runs as");
    }
    Failure::new(format!("no node runs with this home that could be backed up: {error}")).exit(Exit::Unreachable).hint(
        "a backup is taken of a running node on its own machine: --home DIR names its home, `octopussy start` starts it",
    )
}

/// The name of a backup in a folder.
fn name(manifest: &Manifest) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '-' };
    let node: String = manifest.name.chars().map(plain).collect();
    let millis = manifest.taken_at.as_millis();
    let moment = i64::try_from(millis / 1_000).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    let moment = moment.map_or_else(|| millis.to_string(), |moment| moment.strftime("%Y-%m-%dT%H-%M-%SZ").to_string());
    format!("{node}-{moment}.octopussy")
}

fn copy(
    node: UnixStream,
    draft: &mut NamedTempFile,
    to: &Path,
    stopping: &CancellationToken,
) -> Result<Contents, Failure> {
    node.set_read_timeout(Some(LOOK_EVERY))
        .map_err(|error| Failure::new(format!("the node cannot be listened to: {error}")))?;
    let mut trouble = None;
    let tee = Tee { node: &node, file: draft.as_file_mut(), stopping, trouble: &mut trouble };
    let read = ArchiveReader::new(tee).and_then(look);
    let _gone = node.shutdown(Shutdown::Both);
    match (read, trouble) {
        (_, Some(Trouble::Interrupted)) => Err(Failure::new("it was interrupted; nothing was written")),
        (_, Some(Trouble::Silent)) => Err(Failure::new(format!(
            "the node has sent nothing for {} seconds; nothing was written",
            SILENCE.as_secs()
        ))
        .hint("its log and `octopussy status` say how it is")),
        (_, Some(Trouble::Write(error))) => Err(Failure::io("cannot write", to, &error)),
        (Ok(contents), None) => Ok(contents),
        (Err(ArchiveError::Abandoned(reason)), None) => {
            Err(Failure::new(format!("the node gives no backup: {reason}")))
        }
        (Err(error), None) => Err(Failure::new(format!("the backup did not come to its end: {error}"))
            .hint("nothing was written; the node has stopped, or its log says why")),
    }
}

/// Why nothing more is copied, when it is not the backup's fault.
enum Trouble {
    Interrupted,
    Silent,
    Write(io::Error),
}

/// Everything that is read of the node goes into the file as well.
struct Tee<'a> {
    node: &'a UnixStream,
    file: &'a mut File,
    stopping: &'a CancellationToken,
    trouble: &'a mut Option<Trouble>,
}

impl Tee<'_> {
    fn fail(&mut self, trouble: Trouble) -> io::Error {
        *self.trouble = Some(trouble);
        io::Error::other("it cannot go on")
    }

    fn hear(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut waited = Duration::ZERO;
        loop {
            if self.stopping.is_cancelled() {
                return Err(self.fail(Trouble::Interrupted));
            }
            match self.node.read(bytes) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    waited += LOOK_EVERY;
                    if waited >= SILENCE {
                        return Err(self.fail(Trouble::Silent));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.hear(bytes)?;
        match self.file.write_all(&bytes[..read]) {
            Ok(()) => Ok(read),
            Err(error) => Err(self.fail(Trouble::Write(error))),
        }
    }
}
