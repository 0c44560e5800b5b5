//! The audit file: opened where the chain ends, put aside when it has grown to its bound.

use super::audit_verify::put_aside;
use crate::observability::AuditConfig;
use crate::observability::essence::{AuditBody, ChainKey, ChainState};
use octopussy_core::time::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How far back the end of the chain is looked for when the last lines do not hold.
const TAIL_BYTES: u64 = 1024 * 1024;

/// The open file and the end of its chain.
pub(super) struct AuditFile {
    path: PathBuf,
    key: ChainKey,
    /// From which size on it is put aside.
    limit: u64,
    /// How many files that were put aside are kept.
    keep: usize,
    file: File,
    length: u64,
    state: ChainState,
    dirty: bool,
}

impl AuditFile {
    /// Opens the log for this process alone. What a crash left unfinished at the end is moved to a file beside it, and a
    /// record says so.
    pub(super) fn open(path: &Path, config: &AuditConfig, key: ChainKey, now: Timestamp) -> std::io::Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let mut file = open_locked(path)?;
        let total = file.metadata()?.len();
        let (length, mut state) = find_end(&mut file, total, &key)?;
        if length == 0
            && let Some(last) = put_aside(path)?.pop()
        {
            // A crash right after it was put aside: the chain goes on from there.
            let mut last = File::open(last)?;
            let total = last.metadata()?.len();
            (_, state) = find_end(&mut last, total, &key)?;
        }
        let (limit, keep) = (config.rotate_mb.saturating_mul(1024 * 1024), config.keep_files);
        let mut audit = Self { path: path.to_owned(), key, limit, keep, file, length, state, dirty: false };
        if length < total {
            let moved = path.with_extension(format!("unfinished-{}", now.as_millis()));
            audit.file.seek(SeekFrom::Start(length))?;
            let mut beside = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&moved)?;
            std::io::copy(&mut audit.file, &mut beside)?;
            beside.sync_all()?;
            audit.file.set_len(length)?;
            audit.append(&[(now, AuditBody::Recovered { bytes: total - length, moved_to: name_of(&moved) })])?;
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
            text.push_str(&state.append(&self.key, *at, body));
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

    /// Puts the file aside when it has grown to its bound. The next record, in the new file, follows the last one of the old.
    pub(super) fn rotate(&mut self, now: Timestamp) -> std::io::Result<()> {
        // An empty file has nothing to put aside.
        if self.length < self.limit.max(1) {
            return Ok(());
        }
        self.sync()?;
        // Named after its last record, so that the names sort as the chain goes.
        let aside = self.path.with_file_name(format!("audit-{:015}.jsonl", self.state.count()));
        std::fs::rename(&self.path, &aside)?;
        match open_locked(&self.path) {
            Ok(file) => self.file = file,
            Err(error) => {
                // The file that is open is still the log.
                let _ = std::fs::rename(&aside, &self.path);
                return Err(error);
            }
        }
        self.length = 0;
        let mut files = put_aside(&self.path)?;
        let surplus = files.len().saturating_sub(self.keep);
        let mut removed = Vec::new();
        for file in files.drain(..surplus) {
            std::fs::remove_file(&file)?;
            removed.push(name_of(&file));
        }
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        self.append(&[(now, AuditBody::Rotated { moved_to: name_of(&aside), removed })])
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

fn open_locked(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| std::io::Error::new(error.kind(), format!("{} is held by another process", path.display())))?;
    Ok(file)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Where the last line ends that holds by itself, and the chain's state there. Nothing holds: the beginning.
fn find_end(file: &mut File, total: u64, key: &ChainKey) -> std::io::Result<(u64, ChainState)> {
    let from = total.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let mut end = tail.len();
    while let Some(line_end) = tail[..end].iter().rposition(|byte| *byte == b'\n') {
        let begin = tail[..line_end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = std::str::from_utf8(&tail[begin..line_end]).ok();
        if let Some(state) = line.and_then(|line| ChainState::resume(key, line).ok()) {
            return Ok((from + line_end as u64 + 1, state));
        }
        end = line_end;
    }
    Ok((0, ChainState::default()))
}
