//! `octopussy backup`: everything that the node of this home has, in one file.

use crate::backup::{Taken, take};
use crate::cli::Context;
use crate::failure::Failure;
use crate::host::Signals;
use crate::output::{GOOD, WARN, bytes, paint};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// How to take a backup.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write, which must not be there yet; a folder gets a file named after the node and the moment
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

/// Takes a backup of the running node.
pub(crate) async fn run(args: BackupArgs, context: &Context) -> Result<(), Failure> {
    let spinner = context.out.spinner("taking a backup");
    let home = context.home.path().to_owned();
    let taken = unless_interrupted(move |stopping| take(&home, &args.to, stopping)).await;
    spinner.finish_and_clear();
    report(&taken?, context);
    Ok(())
}

/// Does what blocks beside the runtime; a signal asks it to end, which is waited for, so that it leaves nothing behind.
pub(super) async fn unless_interrupted<T: Send + 'static>(
    action: impl FnOnce(&CancellationToken) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let signals = Signals::listen().map_err(|error| Failure::new(format!("signals cannot be listened to: {error}")))?;
    let stopping = CancellationToken::new();
    let token = stopping.clone();
    let mut task = tokio::task::spawn_blocking(move || action(&token));
    let done = tokio::select! {
        done = &mut task => done,
        () = signals.first() => {
            stopping.cancel();
            task.await
        }
    };
    done.unwrap_or_else(|error| Err(Failure::new(format!("it has failed: {error}"))))
}

fn report(taken: &Taken, context: &Context) {
    let (out, manifest) = (context.out, &taken.manifest);
    let missing = manifest.missing();
    out.line(format_args!(
        "{} {}: {} of {} shards and {} documents of {}, {}",
        paint(GOOD, "✓"),
        taken.file.display(),
        usize::from(manifest.shards) - missing.len(),
        manifest.shards,
        taken.documents,
        manifest.name,
        bytes(taken.bytes)
    ));
    out.line("  It holds the keys to the cluster's secrets: keep it as you keep those.");
    let warn = |text: String| out.line(format_args!("{} {text}", paint(WARN, "!")));
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        warn(format!(
            "this node does not have the shards {}: take backups of others, too (`octopussy cluster ring` says where they are)",
            names.join(", ")
        ));
    }
    if !manifest.leaderless.is_empty() {
        warn(format!(
            "{} of its groups have no leader that it knows of: what it has of them may be old; `octopussy cluster status` says why",
            manifest.leaderless.len()
        ));
    }
    if taken.lost > 0 {
        warn(format!("{} documents could be had from no node; the node's log names them", taken.lost));
    }
    if let Some(mode) = taken.open_to {
        warn(format!("others may read the file (mode {mode:04o}): its file system keeps no permissions"));
    }
    out.document(&json!({
        "file": taken.file, "bytes": taken.bytes, "cluster": manifest.cluster, "node": manifest.name,
        "shards": manifest.shards, "missing_shards": missing, "documents": taken.documents,
        "groups_without_leader": manifest.leaderless.len(), "lost_documents": taken.lost, "taken_at": manifest.taken_at.as_millis(),
    }));
}
