//! A snapshot on its way to another node.

use super::failure::{Errand, network, streaming};
use super::wire::{self, SnapshotAnswer, SnapshotHeader};
use crate::raft::machine::SnapshotFile;
use crate::raft::{GroupId, TypeConfig};
use octopussy_core::ports::{MeshError, MeshPort, StreamKind};
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::error::StreamingError;
use openraft::raft::SnapshotResponse;
use std::future::Future;
use std::time::Duration;

/// The bytes of a snapshot in one frame.
const CHUNK_BYTES: usize = 1024 * 1024;

/// How long a chunk, or the installation at the end, may take before the transfer is given up.
pub(super) const PROGRESS_TIMEOUT: Duration = Duration::from_secs(20);

/// Sends a snapshot and waits until it is installed.
pub(super) async fn send(
    mesh: &dyn MeshPort,
    group: GroupId,
    vote: VoteOf<TypeConfig>,
    mut snapshot: SnapshotOf<TypeConfig, SnapshotFile>,
    errand: &Errand,
) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
    // A snapshot that is outdated is asked for anew, which openraft does after an error of the network.
    let mut content = snapshot.snapshot.read().await.map_err(network)?;
    let header = SnapshotHeader { group, vote, meta: snapshot.meta, length: content.len() };
    let header = wire::encode(&header).map_err(network)?;
    let mut stream = in_time(mesh.open(errand.to, StreamKind::Snapshot), errand).await?;
    in_time(stream.sink.send(header), errand).await?;
    while let Some(chunk) = content.next(CHUNK_BYTES).await.map_err(network)? {
        in_time(stream.sink.send(chunk), errand).await?;
    }
    in_time(stream.sink.finish(), errand).await?;
    let answer = in_time(stream.source.next(), errand).await?;
    let answer = answer.ok_or_else(|| network("the receiver gave no answer"))?;
    let answer: SnapshotAnswer = wire::decode(&answer).map_err(network)?;
    answer.map_err(|fault| streaming(errand.fault(&fault)))
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
