//! Tells when one of some files has changed and been quiet for a while.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Watches the directories of the files, because editors replace files rather than write them.
pub(crate) struct FileWatcher {
    changed: Arc<Notify>,
    settle: Duration,
    _watcher: RecommendedWatcher,
}

impl FileWatcher {
    pub(crate) fn new(paths: &[PathBuf], settle: Duration) -> notify::Result<Self> {
        let changed = Arc::new(Notify::new());
        let (wake, names) = (changed.clone(), paths.to_vec());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An overflow of the kernel's queue arrives as an error or without paths: then anything may have changed.
            let ours = event.map_or(true, |event| {
                !event.kind.is_access()
                    && (event.paths.is_empty()
                        || event.paths.iter().any(|path| names.iter().any(|name| name.file_name() == path.file_name())))
            });
            if ours {
                wake.notify_one();
            }
        })?;
        let directories: BTreeSet<_> = paths.iter().filter_map(|path| path.parent()).collect();
        for directory in directories {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { changed, settle, _watcher: watcher })
    }

    /// Returns when something has changed and then nothing for the settling time.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
        while tokio::time::timeout(self.settle, self.changed.notified()).await.is_ok() {}
    }
}
