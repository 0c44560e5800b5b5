//! Backups: images of the groups that live here, taken while they run, and a data directory made of images.

mod restore;
mod take;

pub use restore::{RestoreError, restore};
pub use take::{BackupError, GroupImage};
