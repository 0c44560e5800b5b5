//! Verifies an audit log: all of its files, oldest first, as one chain.

use crate::observability::essence::{ChainBreak, ChainState};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The longest line that is read as a record.
const MAX_LINE: u64 = 1024 * 1024;

/// The audit log does not verify.
#[derive(Debug, thiserror::Error)]
pub enum AuditVerifyError {
    /// It cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The chain breaks.
    #[error("the audit log does not hold at line {line} of {}: {reason}", file.display())]
    Broken {
        /// In which file.
        file: PathBuf,
        /// At which line, from 1.
        line: u64,
        /// How.
        reason: ChainBreak,
    },
}

/// An audit log that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerified {
    /// How many records there are.
    pub records: u64,
    /// The number of the first one; more than 1 when older files were removed.
    pub first: u64,
    /// In how many files.
    pub files: usize,
    /// The hash of the last one. A cut at the end shows only to whoever keeps it elsewhere.
    pub last_hash: String,
}

/// Checks every record of the audit log at `path`, and of the files that were put aside from it, against the one before it.
///
/// # Errors
/// [`AuditVerifyError`] at the first line that does not hold.
pub fn verify_audit(path: &Path) -> Result<AuditVerified, AuditVerifyError> {
    let mut files = put_aside(path)?;
    files.push(path.to_owned());
    let mut state: Option<ChainState> = None;
    let mut first = 1;
    for file in &files {
        verify_file(file, &mut state, &mut first)?;
    }
    let state = state.unwrap_or_default();
    let records = (state.count() + 1).saturating_sub(first);
    Ok(AuditVerified { records, first, files: files.len(), last_hash: state.last_hash().to_owned() })
}

fn verify_file(file: &Path, state: &mut Option<ChainState>, first: &mut u64) -> Result<(), AuditVerifyError> {
    let mut reader = BufReader::new(File::open(file)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").and_then(|text| std::str::from_utf8(text).ok());
        let followed = text.ok_or(ChainBreak::Malformed).and_then(|text| {
            let mut next = match state.take() {
                Some(state) => state,
                None => {
                    let before = ChainState::before(text)?;
                    *first = before.count() + 1;
                    before
                }
            };
            next.follow(text)?;
            *state = Some(next);
            Ok(())
        });
        followed.map_err(|reason| AuditVerifyError::Broken { file: file.to_owned(), line: number, reason })?;
    }
    Ok(())
}

/// The files that were put aside from the log at `path`, oldest first.
pub(super) fn put_aside(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let Some(directory) = path.parent() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        let number = name.strip_prefix("audit-").and_then(|rest| rest.strip_suffix(".jsonl"));
        if number.is_some_and(|number| number.len() == 15 && number.bytes().all(|byte| byte.is_ascii_digit())) {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}
