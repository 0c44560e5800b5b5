//! Ports for a node that nobody else will take meanwhile.

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// The ports a node listens on when its offset is 0: REST, gRPC (reserved), WebSocket, metrics.
const BASES: [u16; 4] = [47200, 47201, 47202, 9090];

/// The mesh's UDP port at offset 0.
const MESH: u16 = 47210;

/// Offsets for which no port falls into 32768..=60999, from which Linux takes the ports of outgoing connections: only there
/// could a connection of somebody else's sit on a port that was free a moment ago.
const OFFSETS: std::ops::Range<u16> = 13_800..18_300;

/// Ports of one node keep this distance from the next node's, so that the bases (adjacent ones) never overlap.
const STRIDE: u16 = 4;

/// Where this process looks first; spread over processes by their id.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// An offset that is this runner's for as long as the lease lives: a lock on a file keeps other test processes off it, and
/// its ports were free when it was taken.
#[derive(Debug)]
pub struct PortLease {
    offset: u16,
    _lock: File,
}

impl PortLease {
    /// Takes a free offset.
    ///
    /// # Errors
    /// When the lock files cannot be written, or every offset is taken.
    pub fn take() -> Result<Self> {
        let folder = std::env::temp_dir().join("octopussy-test-ports");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let slots = (OFFSETS.end - OFFSETS.start) / STRIDE;
        let spread = u16::try_from(std::process::id() % u32::from(slots)).unwrap_or_default();
        for _ in 0..slots {
            let slot = (spread + NEXT.fetch_add(1, Ordering::Relaxed) % slots) % slots;
            let offset = OFFSETS.start + slot * STRIDE;
            let path = folder.join(offset.to_string());
            let lock = File::options().create(true).truncate(false).write(true).open(&path)?;
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && is_free(offset) {
                return Ok(Self { offset, _lock: lock });
            }
        }
        bail!("no port offset in {OFFSETS:?} is free");
    }

    /// The offset, as for `--port-offset`.
    #[must_use]
    pub const fn offset(&self) -> u16 {
        self.offset
    }
}

fn is_free(offset: u16) -> bool {
    BASES.iter().all(|base| TcpListener::bind(("127.0.0.1", base + offset)).is_ok())
        && UdpSocket::bind(("0.0.0.0", MESH + offset)).is_ok()
}
