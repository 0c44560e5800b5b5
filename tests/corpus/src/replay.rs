//! Replaying a corpus, and keeping its seeds.

use std::fs;
use std::path::{Path, PathBuf};

/// Renews the seeds instead of comparing them.
const UPDATE: &str = "UPDATE_SEEDS";

/// The beginning of a seed's file name; other files are what fuzzing found.
const SEED: &str = "seed-";

/// The corpus of the checkout in which the test runs, which need not be the one in which this crate was compiled: checkouts
/// may share a target directory. Tests run in the folder of their crate.
fn folder(target: &str) -> PathBuf {
    let here = std::env::current_dir().expect("the working directory");
    let corpus = here.ancestors().map(|above| above.join("tests/fuzz/corpus")).find(|corpus| corpus.is_dir());
    corpus.unwrap_or_else(|| panic!("no tests/fuzz/corpus above {}", here.display())).join(target)
}

/// Passes everything in the corpus of `target` through its door, after comparing the seeds: `seeds` are all of them, by name.
///
/// # Panics
/// When the door does, when a seed is not what the corpus has, and when the corpus cannot be read or, with `UPDATE_SEEDS` in the
/// environment, be written.
#[track_caller]
pub fn replay(target: &str, door: fn(&[u8]), seeds: &[(&str, Vec<u8>)]) {
    let folder = folder(target);
    if std::env::var_os(UPDATE).is_some() {
        renew(&folder, seeds);
    }
    for (name, bytes) in seeds {
        let path = folder.join(format!("{SEED}{name}"));
        let kept = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run with {UPDATE}=1", path.display()));
        assert!(
            kept == *bytes,
            "{name} of {target} is encoded in another way than in the corpus: nodes of another build will not read it. If that is \
             meant, raise the version that stands before it and run this test with {UPDATE}=1",
        );
    }
    let mut known = 0;
    for path in files(&folder) {
        known += usize::from(path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEED)));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let passed = std::panic::catch_unwind(|| door(&bytes));
        assert!(passed.is_ok(), "{} does not pass", path.display());
    }
    assert_eq!(known, seeds.len(), "the corpus of {target} has seeds that nobody makes any more");
}

fn renew(folder: &Path, seeds: &[(&str, Vec<u8>)]) {
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in files(folder) {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEED)) {
            fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
    for (name, bytes) in seeds {
        let path = folder.join(format!("{SEED}{name}"));
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.sort();
    files
}
