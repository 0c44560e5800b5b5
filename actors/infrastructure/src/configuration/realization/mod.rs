//! Watching files.

mod watcher;

pub(crate) use watcher::FileWatcher;
