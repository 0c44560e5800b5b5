//! The audit file: opened where the chain ends, verified as a whole.

use crate::observability::essence::{AuditBody, ChainBreak, ChainState};
use octopussy_core::time::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// How far back the end of the chain is looked for when the last lines do not hold.
const TAIL_BYTES: u64 = 1024 * 1024;

/// The longest line that is read as a record.
const MAX_LINE: u64 = 1024 * 1024;

/// The audit log does not verify.
#[derive(Debug, thiserror::Error)]
pub enum AuditVerifyError {
    /// It cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The chain breaks.
    #[error("the audit log does not hold at line {line}: {reason}")]
    Broken {
        /// At which line, from 1.
        line: u64,
        /// How.
        reason: ChainBreak,
    },
}

/// Checks every record of an audit log against the one before it and answers how many there are.
///
/// # Errors
/// [`AuditVerifyError`] at the first line that does not hold.
pub fn verify_audit(path: &Path) -> Result<u64, AuditVerifyError> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut state = ChainState::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").and_then(|text| std::str::from_utf8(text).ok());
        text.ok_or(ChainBreak::Malformed)
            .and_then(|text| state.follow(text))
            .map_err(|reason| AuditVerifyError::Broken { line: number, reason })?;
    }
    Ok(state.count())
}

/// The open file and the end of its chain.
pub(super) struct AuditFile {
    file: File,
    length: u64,
    state: ChainState,
    dirty: bool,
}

impl AuditFile {
    /// Opens the log for this process alone. What a crash left unfinished at the end is moved to a file beside it, and a
    /// record says so.
    pub(super) fn open(path: &Path, now: Timestamp) -> std::io::Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            std::io::Error::new(error.kind(), format!("{} is held by another process", path.display()))
        })?;
        let total = file.metadata()?.len();
        let (length, state) = find_end(&mut file, total)?;
        let mut audit = Self { file, length, state, dirty: false };
        if length < total {
            let moved = path.with_extension(format!("unfinished-{}", now.as_millis()));
            audit.file.seek(SeekFrom::Start(length))?;
            let mut beside = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&moved)?;
            std::io::copy(&mut audit.file, &mut beside)?;
            beside.sync_all()?;
            audit.file.set_len(length)?;
            let moved_to = moved.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            audit.append(&[(now, AuditBody::Recovered { bytes: total - length, moved_to })])?;
            audit.sync()?;
        }
        audit.file.seek(SeekFrom::Start(audit.length))?;
        Ok(audit)
    }

    /// Appends the records or, when the disk refuses, none of them.
    pub(super) fn append(&mut self, records: &[(Timestamp, AuditBody)]) -> std::io::Result<()> {
        let mut state = self.state.clone();
        let mut text = String::with_capacity(records.len() * 384);
        for (at, body) in records {
            text.push_str(&state.append(*at, body));
            text.push('\n');
        }
        self.file.seek(SeekFrom::Start(self.length))?;
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // Half a line would break the chain; if cutting fails as well, the next start cuts.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += text.len() as u64;
        self.state = state;
        self.dirty = true;
        Ok(())
    }

    pub(super) const fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub(super) fn sync(&mut self) -> std::io::Result<()> {
        self.file.sync_data()?;
        self.dirty = false;
        Ok(())
    }
}

/// Where the last line ends that holds by itself, and the chain's state there. Nothing holds: the beginning.
fn find_end(file: &mut File, total: u64) -> std::io::Result<(u64, ChainState)> {
    let from = total.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let mut end = tail.len();
    while let Some(line_end) = tail[..end].iter().rposition(|byte| *byte == b'\n') {
        let begin = tail[..line_end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = std::str::from_utf8(&tail[begin..line_end]).ok();
        if let Some(state) = line.and_then(|line| ChainState::resume(line).ok()) {
            return Ok((from + line_end as u64 + 1, state));
        }
        end = line_end;
    }
    Ok((0, ChainState::default()))
}
