//! Backups: what a running node writes into one file, and how a home is made of such files.

mod archive;
mod contents;
mod door;
mod restore;
mod survey;

pub(crate) use door::{BackupDoor, socket};
pub(crate) use restore::{restore_cluster, restore_settings};
pub(crate) use survey::Survey;
