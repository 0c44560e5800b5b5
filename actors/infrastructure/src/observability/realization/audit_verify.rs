//! Verifies an audit log: all of its files, oldest first, as one chain.

use crate::observability::essence::{AuditBody, ChainBreak, ChainKey, ChainState};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

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
    /// The file into which everything was moved that was there before the first record, since nothing in it held. A crash at the very first record
    /// leaves that behind; a longer file is a log that somebody has made unreadable.
    pub begun_anew_beside: Option<String>,
}

/// What has been seen of a chain.
#[derive(Default)]
struct Seen {
    state: Option<ChainState>,
    first: u64,
    begun_anew_beside: Option<String>,
}

/// The first record of a chain that begins with bytes that were moved away.
#[derive(serde::Deserialize)]
struct FirstRecord {
    #[serde(flatten)]
    body: AuditBody,
}

/// Checks every record of the audit log at `path`, and of the files that were put aside from it, against the one before it, with the key that the
/// node derives for [`CHAIN_PURPOSE`](crate::observability::essence::CHAIN_PURPOSE).
///
/// # Errors
/// [`AuditVerifyError`] at the first line that does not hold.
pub fn verify_audit(path: &Path, key: Zeroizing<[u8; 32]>) -> Result<AuditVerified, AuditVerifyError> {
    let key = ChainKey::new(key);
    let mut files = put_aside(path)?;
    files.push(path.to_owned());
    let mut seen = Seen { first: 1, ..Seen::default() };
    for file in &files {
        verify_file(file, &key, &mut seen)?;
    }
    let Seen { state, first, begun_anew_beside } = seen;
    let state = state.unwrap_or_default();
    let records = (state.count() + 1).saturating_sub(first);
    let last_hash = state.last_hash().to_owned();
    Ok(AuditVerified { records, first, files: files.len(), last_hash, begun_anew_beside })
}

fn verify_file(file: &Path, key: &ChainKey, seen: &mut Seen) -> Result<(), AuditVerifyError> {
    let mut reader = BufReader::new(File::open(file)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").and_then(|text| std::str::from_utf8(text).ok());
        let followed = text.ok_or(ChainBreak::Malformed).and_then(|text| {
            let mut next = match seen.state.take() {
                Some(state) => state,
                None => {
                    let before = ChainState::before(text)?;
                    seen.first = before.count() + 1;
                    seen.begun_anew_beside = moved_away(text).filter(|_| seen.first == 1);
                    before
                }
            };
            next.follow(key, text)?;
            seen.state = Some(next);
            Ok(())
        });
        followed.map_err(|reason| AuditVerifyError::Broken { file: file.to_owned(), line: number, reason })?;
    }
    Ok(())
}

/// Where that is now which was in the log before this record, when the record says so.
fn moved_away(text: &str) -> Option<String> {
    match serde_json::from_str::<FirstRecord>(text).ok()?.body {
        AuditBody::Recovered { moved_to, .. } => Some(moved_to),
        AuditBody::Event(_) | AuditBody::Gap { .. } | AuditBody::Rotated { .. } => None,
    }
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
