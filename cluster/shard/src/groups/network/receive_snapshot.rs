//! Snapshots that other nodes send.

use super::serve::heard;
use super::wire::{self, GroupFault, SnapshotAnswer, SnapshotHeader};
use crate::groups::authority::Authority;
use crate::raft::TypeConfig;
use crate::raft::machine::StateHost;
use futures::FutureExt;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameSource, MeshStream, StreamHandler};
use openraft::alias::SnapshotOf;
use openraft::raft::SnapshotResponse;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many snapshots a node receives at a time: each writes a file of its own.
const RECEIVED_AT_ONCE: usize = 4;

/// How long the next chunk may take before the transfer is given up.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest snapshot that is taken: a full disk is no way to find out about a broken peer.
const MAX_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Takes snapshots that other nodes send.
pub(crate) struct SnapshotReceiver {
    authority: Arc<Authority>,
    state: Arc<StateHost>,
    permits: Arc<Semaphore>,
}

impl SnapshotReceiver {
    pub(crate) fn new(authority: Arc<Authority>, state: Arc<StateHost>) -> Self {
        Self { authority, state, permits: Arc::new(Semaphore::new(RECEIVED_AT_ONCE)) }
    }
}

impl StreamHandler for SnapshotReceiver {
    fn handle(&self, from: NodeId, mut stream: MeshStream) -> BoxFuture<'static, ()> {
        let (authority, state, permits) =
            (Arc::clone(&self.authority), Arc::clone(&self.state), Arc::clone(&self.permits));
        async move {
            let Ok(_permit) = permits.try_acquire() else { return };
            match receive(&authority, &state, from, stream.source.as_mut()).await {
                Ok(answer) => {
                    if let Ok(frame) = wire::encode(&answer)
                        && stream.sink.send(frame).await.is_ok()
                    {
                        drop(stream.sink.finish().await);
                    }
                }
                Err(reason) => tracing::warn!(node = %from, %reason, "a snapshot was not received"),
            }
        }
        .boxed()
    }
}

async fn receive(
    authority: &Authority,
    state: &StateHost,
    from: NodeId,
    source: &mut dyn FrameSource,
) -> Result<SnapshotAnswer, String> {
    let header = next(source).await?.ok_or("it ended before it began")?;
    let header: SnapshotHeader = wire::decode(&header).map_err(|reason| reason.to_string())?;
    let group = match heard(authority, header.group, from, &header.vote) {
        Ok(group) => group,
        Err(fault) => return Ok(Err(fault)),
    };
    if header.length > MAX_BYTES {
        return Err(format!("{} bytes were announced", header.length));
    }
    let mut writer = state.receive_snapshot(header.group).await.map_err(text)?;
    let mut left = header.length;
    while let Some(chunk) = next(source).await? {
        left = left.checked_sub(chunk.len() as u64).ok_or("it is longer than announced")?;
        writer.write(chunk).await.map_err(text)?;
    }
    if left > 0 {
        return Err(format!("{left} bytes are missing"));
    }
    let file = writer.finish().await.map_err(text)?;
    let snapshot: SnapshotOf<TypeConfig, _> = openraft::Snapshot { meta: header.meta, snapshot: file };
    let installed = group.raft().install_full_snapshot(header.vote, snapshot).await;
    Ok(installed
        .map(|SnapshotResponse { vote }| SnapshotResponse::new(vote))
        .map_err(|fatal| GroupFault::Stopped(header.group, fatal.to_string().into())))
}

async fn next(source: &mut dyn FrameSource) -> Result<Option<bytes::Bytes>, String> {
    match tokio::time::timeout(PROGRESS_TIMEOUT, source.next()).await {
        Ok(frame) => frame.map_err(text),
        Err(_) => Err("it stopped in between".to_owned()),
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
