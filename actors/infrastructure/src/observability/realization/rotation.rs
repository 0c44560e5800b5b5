//! A log file that is put aside while it is written, so that it never fills the disk.

use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// From which size on a log file is put aside.
pub const LOG_BYTES: u64 = 16 * 1024 * 1024;

/// How many files that were put aside are kept: with the present one 64 MiB, which is days of an ordinary node and hours of one
/// that has much to complain of.
pub const LOGS_KEPT: u32 = 3;

/// Puts a log file aside as `NAME.1`, the one before it as `NAME.2`, and so on; the oldest beyond [`LOGS_KEPT`] goes.
///
/// # Errors
/// When `path` itself cannot be renamed; it is where it was.
pub fn put_log_aside(path: &Path) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..LOGS_KEPT).rev() {
        // One that is not there leaves a gap, which is no matter.
        let _ = std::fs::rename(numbered(number), numbered(number + 1));
    }
    std::fs::rename(path, numbered(1))
}

/// Opens a log file, or makes it, for its owner alone.
///
/// # Errors
/// Those of the file system.
pub fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// A log file that puts itself aside when it has grown to its bound.
pub(super) struct RotatingFile {
    path: PathBuf,
    limit: u64,
    open: Mutex<Open>,
}

struct Open {
    file: File,
    length: u64,
}

impl RotatingFile {
    /// Opens the file where it ends.
    pub(super) fn open(path: &Path, limit: u64) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), limit, open: Mutex::new(Open::at(path)?) })
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let file = open_log(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl Write for &RotatingFile {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut open = self.open.lock();
        if open.length > 0 && open.length.saturating_add(text.len() as u64) > self.limit {
            // Where that fails, too long a log is better than none.
            match put_log_aside(&self.path).and_then(|()| Open::at(&self.path)) {
                Ok(fresh) => *open = fresh,
                Err(_) => open.length = 0,
            }
        }
        let written = open.file.write(text)?;
        open.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.lock().file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_bounded_while_it_is_written_and_its_newest_lines_are_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("node.log");
        let file = RotatingFile::open(&path, 100).unwrap();
        for number in 0..100 {
            // One write a line, as the subscriber does.
            let line = format!("line {number:03} {}\n", "x".repeat(20));
            (&file).write_all(line.as_bytes()).unwrap();
        }
        let mut names: Vec<_> = std::fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["node.log", "node.log.1", "node.log.2", "node.log.3"]);
        let mut kept = String::new();
        for name in names.iter().rev() {
            let text = std::fs::read_to_string(home.path().join(name)).unwrap();
            assert!(text.len() <= 100, "{name}: {}", text.len());
            kept.push_str(&text);
        }
        let numbers: Vec<usize> = kept.lines().map(|line| line[5..8].parse().unwrap()).collect();
        assert_eq!(numbers.last(), Some(&99));
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no line is lost in between: {numbers:?}");
    }
}
