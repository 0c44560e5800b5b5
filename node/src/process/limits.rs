//! What this process may and may not do on its machine: the modes of its files, core dumps, how many files it opens.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// More open files are of no use to a node, and some systems make every child close each that there could be.
const ENOUGH: u64 = 65_536;
/// Descriptors that connections never get: for the log's segments, the store, documents, certificates, models and the mesh.
const RESERVED: u64 = 256;
/// The ports that share what is left: REST and the WebSocket.
const PORTS: u64 = 2;
/// Connections that a port is to have at least, however few files there may be.
const LEAST: u64 = 16;

/// Before anything else: whatever this program writes is its owner's alone, and its memory, which holds keys, is never
/// written to a disk.
pub(crate) fn keep_to_oneself() {
    umask(Mode::from_raw_mode(0o077));
    // A limit can always be lowered.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// For a process that holds keys for long: neither a core dump through a pipe, which no limit stops, nor another process of
/// the same user gets at its memory.
pub(crate) fn hide_memory() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::debug!(%error, "this process can be dumped");
    }
}

/// Lets this process open as many files as the system allows it, and tells how many that are.
pub(crate) fn open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let now = current.unwrap_or(ENOUGH);
    if now >= wanted {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::debug!(%error, wanted, "the limit of open files stays as it is");
            now
        }
    }
}

/// How many connections a port may have where `open_files` may be open: at most `wanted`, and never what the node itself needs.
pub(crate) fn connections(open_files: u64, wanted: usize) -> usize {
    let left = open_files.saturating_sub(RESERVED.min(open_files / 2));
    let share = usize::try_from((left / PORTS).max(LEAST)).unwrap_or(usize::MAX);
    wanted.min(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_node_what_it_needs() {
        assert_eq!(connections(65_536, 8192), 8192);
        assert_eq!(connections(1024, 8192), 384);
        assert_eq!(connections(512, 8192), 128);
        assert_eq!(connections(256, 8192), 64);
        assert_eq!(connections(8, 8192), 16);
        assert_eq!(connections(1024, 100), 100, "never more than the setting");
        for open in [256, 512, 1024, 4096] {
            assert!(PORTS * connections(open, usize::MAX) as u64 + RESERVED.min(open / 2) <= open, "{open}");
        }
    }
}
