//! `octopussy backup`: everything that the node of this home has, in one file.

use crate::backup::{Survey, socket};
use crate::cli::Context;
use crate::failure::{Exit, Failure};
use crate::output::{GOOD, WARN, paint};
use clap::Args;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the node may be silent: it makes an image of the largest shard meanwhile.
const SILENCE: Duration = Duration::from_secs(300);

/// How to take a backup.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write; a folder gets one that is named after the node and the day
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

/// Takes a backup of the running node.
pub(crate) async fn run(args: BackupArgs, context: &Context) -> Result<(), Failure> {
    let path = socket(context.home.path());
    let spinner = context.out.spinner("taking a backup");
    let to = args.to.clone();
    let taken = tokio::task::spawn_blocking(move || take(&path, &to)).await;
    spinner.finish_and_clear();
    let (file, bytes, survey) =
        taken.map_err(|error| Failure::new(format!("the backup was not taken: {error}"))).and_then(|taken| taken)?;
    let Some((_, manifest)) = survey.files.first() else { return Err(Failure::new("the backup is empty")) };
    let out = context.out;
    out.line(format_args!(
        "{} {}: {} of {} shards of {} ({bytes} bytes)",
        paint(GOOD, "✓"),
        file.display(),
        manifest.shards as usize - manifest.missing().len(),
        manifest.shards,
        manifest.name
    ));
    let missing = manifest.missing();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        out.line(format_args!(
            "{} shards {} are not on this node: take backups of others, too (`octopussy cluster ring` says where they are)",
            paint(WARN, "!"),
            names.join(", ")
        ));
    }
    out.document(&json!({
        "file": file, "bytes": bytes, "cluster": manifest.cluster, "node": manifest.name, "shards": manifest.shards,
        "missing_shards": missing, "taken_at": manifest.taken_at.as_millis(),
    }));
    Ok(())
}

/// Reads what the node hands out into a file beside the one that is wanted, looks whether it is whole, and only then names it.
fn take(socket: &Path, to: &Path) -> Result<(PathBuf, u64, Survey), Failure> {
    let mut node = UnixStream::connect(socket).map_err(|error| {
        Failure::new(format!("no node runs with this home that could be backed up: {error}"))
            .exit(Exit::Unreachable)
            .hint("a backup is taken of a running node, on its own machine, as the user it runs as: --home DIR, `octopussy start`")
    })?;
    let failed = |what: &str, path: &Path, error: &io::Error| Failure::io(what, path, error);
    node.set_read_timeout(Some(SILENCE)).map_err(|error| failed("cannot read from", socket, &error))?;
    let folder = if to.is_dir() {
        to
    } else {
        to.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
    };
    let mut draft = tempfile::Builder::new()
        .prefix(".octopussy-backup-")
        .make_in(folder, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))
        .map_err(|error| failed("cannot write into", folder, &error))?;
    let bytes = io::copy(&mut node, draft.as_file_mut()).map_err(|error| {
        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            return Failure::new("the node has stopped in the middle of the backup");
        }
        failed("cannot write", draft.path(), &error)
    })?;
    draft
        .as_file_mut()
        .flush()
        .and_then(|()| draft.as_file().sync_all())
        .map_err(|error| failed("cannot write", draft.path(), &error))?;
    let survey = Survey::of(&[draft.path().to_owned()]).map_err(|error| {
        Failure::new(format!("the backup is not whole: {error}")).hint("the node's log says why; nothing was written")
    })?;
    let Some((_, manifest)) = survey.files.first() else { return Err(Failure::new("the backup is empty")) };
    let file = if to.is_dir() {
        to.join(format!("{}-{}.octopussy", manifest.name, manifest.taken_at.as_millis()))
    } else {
        to.to_owned()
    };
    draft.persist(&file).map_err(|error| failed("cannot write", &file, &error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed("cannot sync", folder, &error))?;
    Ok((file, bytes, survey))
}
