//! Backups: images of the groups that live here, taken while they run, and a data directory made of images.

mod restore;
mod take;

#[cfg(test)]
pub(crate) use restore::restore_with;
pub use restore::{RestoreError, restore};
pub use take::{BackupError, GroupImage};

/// The format of what is in an image: one of another format is for another build.
pub const IMAGE_FORMAT: u32 = octopussy_store::FORMAT_VERSION;
