//! The lives of this home: every start is counted and given an id of its own, so that two starts from copies of one home, and an
//! old home that was put back, can be told apart.

use super::seal::random;
use crate::private_file;
use octopussy_core::codec;
use octopussy_core::lineage::{Life, Lineage};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file in the data directory.
const FILE: &str = "lives";
/// The shape of what is kept.
const SCHEMA: u16 = 1;

/// The lives of this home cannot be told. A node must not start without: it would be taken for a copy of itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LivesError {
    /// The file cannot be read or written.
    #[error("cannot {doing} {}: {error}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why it failed.
        error: std::io::Error,
    },
    /// It holds something else.
    #[error(
        "{} is damaged ({reason}): what this node has been before cannot be told; take the node out with `octopussy cluster \
         leave NODE --force` on a member, and let the machine join with a new home",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No id can be drawn.
    #[error("this machine gives no random numbers")]
    NoRandomness,
}

/// What is in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    schema: u16,
    lineage: Lineage,
    /// How many of the last starts the cluster has refused in succession.
    refused: u32,
}

/// The lives of this home, the present one included.
#[derive(Debug)]
pub(crate) struct HomeLives {
    path: PathBuf,
    kept: Mutex<Kept>,
}

impl HomeLives {
    /// Counts a start; it is on the disk when this returns. Blocks.
    ///
    /// # Errors
    /// [`LivesError`]; the lives before stay.
    pub(crate) fn begin(data: &Path) -> Result<Arc<Self>, LivesError> {
        let path = data.join(FILE);
        let drawn = || random().map(u64::from_be_bytes).map_err(|_| LivesError::NoRandomness);
        let kept = match read(&path)? {
            // Starts that were refused must not outlast what is remembered of the one that was not.
            Some(mut kept) if kept.refused > 1 => {
                kept.lineage.begin_instead(drawn()?);
                kept
            }
            Some(mut kept) => {
                kept.lineage.begin(drawn()?);
                kept
            }
            None => {
                let home = random().map(u128::from_be_bytes).map_err(|_| LivesError::NoRandomness)?;
                Kept { schema: SCHEMA, lineage: Lineage::first(home, 1, drawn()?), refused: 0 }
            }
        };
        let lives = Self { path, kept: Mutex::new(kept.clone()) };
        lives.write(&kept)?;
        Ok(Arc::new(lives))
    }

    /// All of them.
    pub(crate) fn lineage(&self) -> Lineage {
        self.kept.lock().lineage.clone()
    }

    /// The present one.
    pub(crate) fn life(&self) -> Life {
        self.kept.lock().lineage.life()
    }

    /// Notes that something was written, and answers with the lives as they are on the disk then. Blocks.
    ///
    /// # Errors
    /// [`LivesError`]: nothing is noted.
    pub(crate) fn advance(&self) -> Result<Lineage, LivesError> {
        self.change(|kept| kept.lineage.advance())
    }

    /// Notes whether the cluster has refused the present life. Blocks.
    ///
    /// # Errors
    /// [`LivesError`]: nothing is noted.
    pub(crate) fn judged(&self, refused: bool) -> Result<(), LivesError> {
        let before = self.kept.lock().refused;
        if !refused && before == 0 {
            return Ok(());
        }
        self.change(|kept| kept.refused = if refused { before.saturating_add(1) } else { 0 }).map(drop)
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<Lineage, LivesError> {
        let mut held = self.kept.lock();
        let mut kept = held.clone();
        change(&mut kept);
        self.write(&kept)?;
        *held = kept;
        Ok(held.lineage.clone())
    }

    fn write(&self, kept: &Kept) -> Result<(), LivesError> {
        write(&self.path, kept)
    }
}

fn write(path: &Path, kept: &Kept) -> Result<(), LivesError> {
    let damaged = |error: codec::CodecError| LivesError::Damaged { path: path.to_owned(), reason: error.to_string() };
    let bytes = codec::encode(kept).map_err(damaged)?;
    private_file::write(path, &bytes).map_err(|error| LivesError::File { doing: "write", path: path.to_owned(), error })
}

fn read(path: &Path) -> Result<Option<Kept>, LivesError> {
    let damaged = |reason: String| LivesError::Damaged { path: path.to_owned(), reason };
    let failed = |error| LivesError::File { doing: "read", path: path.to_owned(), error };
    let Some(bytes) = private_file::read(path).map_err(failed)? else { return Ok(None) };
    let kept: Kept = codec::decode(&bytes).map_err(|error| damaged(error.to_string()))?;
    if kept.schema != SCHEMA {
        return Err(damaged(format!("its shape is {}, this build knows {SCHEMA}", kept.schema)));
    }
    if !kept.lineage.is_sound() {
        return Err(damaged("its lives are not in their order".to_owned()));
    }
    Ok(Some(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::lineage::MAX_LIVES;
    use octopussy_core::time::Timestamp;

    fn copy(from: &Path, to: &Path) {
        std::fs::copy(from.join(FILE), to.join(FILE)).unwrap();
    }

    #[test]
    fn every_start_goes_on_from_the_one_before_and_that_of_a_copy_does_not() {
        let (home, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = HomeLives::begin(home.path()).unwrap();
        first.advance().unwrap();
        let known = first.lineage().remembered(None, Timestamp::EPOCH).unwrap();
        copy(home.path(), copied.path());
        let second = HomeLives::begin(home.path()).unwrap();
        assert_eq!((first.life().epoch, second.life().epoch), (1, 2));
        second.lineage().goes_on_from(&known).unwrap();
        let met = second.lineage().remembered(Some(&known), Timestamp::EPOCH).unwrap();
        // A supervisor starts the copy over and over: it is refused as often.
        for _ in 0..2 * MAX_LIVES {
            let start = HomeLives::begin(copied.path()).unwrap();
            start.lineage().goes_on_from(&met).unwrap_err();
            start.judged(true).unwrap();
        }
        let third = HomeLives::begin(home.path()).unwrap();
        third.lineage().goes_on_from(&met).unwrap();
        third.judged(true).unwrap();
        third.judged(false).unwrap();
        assert_eq!(third.kept.lock().refused, 0);
    }

    #[test]
    fn damage_is_told_with_the_file() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(FILE), [0xff; 3]).unwrap();
        let error = HomeLives::begin(home.path()).unwrap_err();
        assert!(matches!(error, LivesError::Damaged { .. }) && error.to_string().contains("lives"), "{error}");
    }
}
