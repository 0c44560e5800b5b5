//! Backups: what a running node writes into one file, and how a home is made of such files.

mod archive;
mod contents;
mod door;
mod draft;
mod restore;
mod socket;
mod survey;
mod take;

pub(crate) use door::BackupDoor;
pub(crate) use restore::{Restored, restore_cluster, restore_settings};
pub(crate) use survey::Survey;
pub(crate) use take::{Taken, take};
