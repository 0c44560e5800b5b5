//! Keeps the log of a node in the background bounded while it runs.

use octopussy_infrastructure::observability::{LOG_BYTES, open_log, put_log_aside};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the log's size is looked at: between two looks a node writes far less than its bound.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Puts the log aside whenever it has grown to its bound, as long as the process lives. What goes to the standard streams,
/// panics included, goes into the new file from then on.
pub(crate) async fn keep_log_bounded(log: PathBuf) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let path = log.clone();
        match tokio::task::spawn_blocking(move || bound(&path, LOG_BYTES)).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::warn!(%error, log = %log.display(), "the log cannot be put aside"),
        }
    }
}

fn bound(path: &Path, limit: u64) -> io::Result<()> {
    if std::fs::metadata(path)?.len() < limit {
        return Ok(());
    }
    put_log_aside(path)?;
    let file = open_log(path)?;
    rustix::stdio::dup2_stdout(&file)?;
    rustix::stdio::dup2_stderr(&file)?;
    Ok(())
}
