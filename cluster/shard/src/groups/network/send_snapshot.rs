//! A snapshot on its way to another node.

use super::failure::{Errand, network, streaming};
use super::peer::Peer;
use super::wire::{self, SnapshotHeader, SnapshotReport};
use crate::raft::TypeConfig;
use crate::raft::machine::SnapshotFile;
use octopussy_core::ports::{FrameSource, MeshError, MeshPort, StreamKind};
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::error::StreamingError;
use openraft::raft::SnapshotResponse;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// The bytes of a snapshot in one frame.
const CHUNK_BYTES: usize = 1024 * 1024;

/// How long a chunk may take, or a report of what is being installed that shows progress, before the transfer is given up.
pub(super) const PROGRESS_TIMEOUT: Duration = Duration::from_secs(20);

/// Sends a snapshot and waits until it is installed, for as long as that makes progress.
pub(super) async fn send(
    mesh: &dyn MeshPort,
    peer: &Peer,
    vote: VoteOf<TypeConfig>,
    mut snapshot: SnapshotOf<TypeConfig, SnapshotFile>,
    errand: &Errand,
) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
    // A snapshot that is outdated is asked for anew, which openraft does after an error of the network.
    let mut content = snapshot.snapshot.read().await.map_err(network)?;
    let header = SnapshotHeader { address: peer.address, vote, meta: snapshot.meta, length: content.len() };
    let header = wire::encode(&header).map_err(network)?;
    let mut stream = in_time(mesh.open(errand.to, StreamKind::Snapshot), errand).await?;
    in_time(stream.sink.send(header), errand).await?;
    let mut told = report(stream.source.as_mut(), errand).await?;
    if let SnapshotReport::Wanted = told {
        while let Some(chunk) = content.next(CHUNK_BYTES).await.map_err(network)? {
            in_time(stream.sink.send(chunk), errand).await?;
        }
        in_time(stream.sink.finish(), errand).await?;
        told = report(stream.source.as_mut(), errand).await?;
    }
    let mut moved = Moved::new(Instant::now());
    loop {
        match told {
            SnapshotReport::Wanted => return Err(network("the receiver wants it twice").into()),
            SnapshotReport::Working(done) if moved.look(done, Instant::now()) => {}
            SnapshotReport::Working(_) => return Err(streaming(errand.timeout())),
            SnapshotReport::Answer(answer) => return answer.map_err(|fault| streaming(peer.fault(errand, &fault))),
        }
        told = report(stream.source.as_mut(), errand).await?;
    }
}

/// When an installation last made progress.
struct Moved {
    done: u64,
    at: Instant,
}

impl Moved {
    const fn new(now: Instant) -> Self {
        Self { done: 0, at: now }
    }

    /// Takes in how much is done; `false` when nothing has moved for too long.
    fn look(&mut self, done: u64, now: Instant) -> bool {
        if done > self.done {
            *self = Self { done, at: now };
        }
        now.saturating_duration_since(self.at) < PROGRESS_TIMEOUT
    }
}

async fn report(source: &mut dyn FrameSource, errand: &Errand) -> Result<SnapshotReport, StreamingError<TypeConfig>> {
    let report = in_time(source.next(), errand).await?;
    let report = report.ok_or_else(|| network("the receiver gave no answer"))?;
    Ok(wire::decode(&report).map_err(network)?)
}

async fn in_time<T>(
    step: impl Future<Output = Result<T, MeshError>>,
    errand: &Errand,
) -> Result<T, StreamingError<TypeConfig>> {
    match tokio::time::timeout(PROGRESS_TIMEOUT, step).await {
        Ok(done) => done.map_err(|error| streaming(errand.mesh(&error))),
        Err(_) => Err(streaming(errand.timeout())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_may_take_as_long_as_it_moves() {
        let (start, step) = (Instant::now(), PROGRESS_TIMEOUT - Duration::from_secs(1));
        let mut moved = Moved::new(start);
        for round in 1..100_u32 {
            assert!(moved.look(u64::from(round), start + step * round), "round {round}");
        }
        let last = start + step * 99;
        assert!(moved.look(99, last + step), "it stands still for a moment");
        assert!(!moved.look(99, last + PROGRESS_TIMEOUT));
    }
}
