//! Where work is done that waits for a disk: on threads beside the runtime. A simulation does it in its own turn, since its
//! time leaps over whatever threads do.

use std::io;
use std::thread::JoinHandle;
use tokio::task::JoinError;

/// Work that goes on for as long as the node does.
pub(crate) trait Worker: Send + 'static {
    /// Does what there is to do, as it comes, until nothing more will come.
    fn run(self)
    where
        Self: Sized;

    /// Does what there is to do now, without waiting for more. Says whether more may come.
    #[cfg(test)]
    fn turn(&mut self) -> bool;
}

/// Starts a worker on a thread of its own; there is none when a simulation has taken the worker over.
pub(crate) fn start(name: &str, worker: impl Worker) -> io::Result<Option<JoinHandle<()>>> {
    #[cfg(test)]
    let Some(worker) = crate::tests::sim::adopt(worker) else { return Ok(None) };
    std::thread::Builder::new().name(name.to_owned()).spawn(move || worker.run()).map(Some)
}

/// Does what blocks for a while, beside the runtime.
///
/// # Errors
/// When it panicked, or the runtime went down before it began.
pub(crate) async fn blocking<T: Send + 'static>(action: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    #[cfg(test)]
    if crate::tests::sim::is_running() {
        return Ok(action());
    }
    tokio::task::spawn_blocking(action).await
}
