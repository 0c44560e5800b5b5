//! Snapshots that other nodes send.

use super::installs::{Install, Installs, snapshot_id};
use super::serve::heard;
use super::wire::{self, GroupFault, SnapshotAnswer, SnapshotHeader, SnapshotReport};
use crate::groups::authority::Authority;
use crate::groups::group::Group;
use crate::raft::TypeConfig;
use crate::raft::machine::{SnapshotWriter, StateHost};
use futures::FutureExt;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameSink, FrameSource, MeshStream, StreamHandler};
use openraft::alias::SnapshotOf;
use openraft::raft::SnapshotResponse;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::MissedTickBehavior;

/// How many snapshots a node receives at a time: each writes a file of its own.
const RECEIVED_AT_ONCE: usize = 4;

/// How long the next chunk may take before the transfer is given up.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(20);

/// How often the sender is told how far the installation is.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The longest snapshot that is taken: a full disk is no way to find out about a broken peer.
const MAX_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Takes snapshots that other nodes send.
pub(crate) struct SnapshotReceiver {
    authority: Arc<Authority>,
    state: Arc<StateHost>,
    permits: Arc<Semaphore>,
    installs: Arc<Installs>,
}

impl SnapshotReceiver {
    pub(crate) fn new(authority: Arc<Authority>, state: Arc<StateHost>) -> Self {
        Self { authority, state, permits: Arc::new(Semaphore::new(RECEIVED_AT_ONCE)), installs: Arc::default() }
    }
}

impl StreamHandler for SnapshotReceiver {
    fn handle(&self, from: NodeId, mut stream: MeshStream) -> BoxFuture<'static, ()> {
        let (authority, state) = (Arc::clone(&self.authority), Arc::clone(&self.state));
        let (permits, installs) = (Arc::clone(&self.permits), Arc::clone(&self.installs));
        async move {
            let Ok(permit) = permits.try_acquire_owned() else { return };
            if let Err(reason) = receive(&authority, &state, &installs, from, &mut stream, permit).await {
                tracing::warn!(node = %from, %reason, "a snapshot was not received");
            }
        }
        .boxed()
    }
}

async fn receive(
    authority: &Authority,
    state: &StateHost,
    installs: &Arc<Installs>,
    from: NodeId,
    stream: &mut MeshStream,
    permit: OwnedSemaphorePermit,
) -> Result<(), String> {
    let header = next(stream.source.as_mut()).await?.ok_or("it ended before it began")?;
    let header: SnapshotHeader = wire::decode(&header).map_err(|reason| reason.to_string())?;
    let found = heard(authority, header.address, from, &header.vote)
        .and_then(|group| group.agrees_with_snapshot(&header.vote, header.meta.last_log_id).map(|()| group));
    let group = match found {
        Ok(group) => group,
        Err(fault) => return last(stream.sink.as_mut(), &SnapshotReport::Answer(Err(fault))).await,
    };
    if header.length > MAX_BYTES {
        return Err(format!("{} bytes were announced", header.length));
    }
    let id = snapshot_id(header.address, &header.meta);
    let install = match installs.get(&id) {
        Some(running) => running,
        None => {
            tell(stream.sink.as_mut(), &SnapshotReport::Wanted).await?;
            let writer = content(state, &header, stream.source.as_mut()).await?;
            let progress = writer.progress();
            installs.begin(id, progress, install(group, header, writer, permit))
        }
    };
    follow(&install, stream.sink.as_mut()).await
}

/// Takes the content.
async fn content(
    state: &StateHost,
    header: &SnapshotHeader,
    source: &mut dyn FrameSource,
) -> Result<SnapshotWriter, String> {
    let mut writer = state.receive_snapshot(header.address.group).await.map_err(text)?;
    let mut left = header.length;
    while let Some(chunk) = next(source).await? {
        left = left.checked_sub(chunk.len() as u64).ok_or("it is longer than announced")?;
        writer.write(chunk).await.map_err(text)?;
    }
    if left > 0 { Err(format!("{left} bytes are missing")) } else { Ok(writer) }
}

/// Verifies what was received, and puts it in the place of what the group has applied.
async fn install(
    group: Arc<Group>,
    header: SnapshotHeader,
    writer: SnapshotWriter,
    _permit: OwnedSemaphorePermit,
) -> SnapshotAnswer {
    let stopped = |why: String| GroupFault::Stopped(header.address.group, why.into());
    let file = writer.finish().await.map_err(|error| stopped(text(error)))?;
    let snapshot: SnapshotOf<TypeConfig, _> = openraft::Snapshot { meta: header.meta.clone(), snapshot: file };
    let installed = group.raft().install_full_snapshot(header.vote, snapshot).await;
    let SnapshotResponse { vote } = installed.map_err(|fatal| stopped(fatal.to_string()))?;
    Ok(SnapshotResponse::new(vote))
}

/// Tells how an installation goes on, until it is over.
async fn follow(install: &Install, sink: &mut dyn FrameSink) -> Result<(), String> {
    let mut report = tokio::time::interval(REPORT_EVERY);
    report.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let answer = install.answer();
    tokio::pin!(answer);
    loop {
        let answered = tokio::select! {
            biased;
            answered = &mut answer => answered.ok_or("its installation has no answer")?,
            _ = report.tick() => {
                tell(sink, &SnapshotReport::Working(install.progress())).await?;
                continue;
            }
        };
        return last(sink, &SnapshotReport::Answer(answered)).await;
    }
}

async fn tell(sink: &mut dyn FrameSink, report: &SnapshotReport) -> Result<(), String> {
    sink.send(wire::encode(report).map_err(text)?).await.map_err(text)
}

async fn last(sink: &mut dyn FrameSink, report: &SnapshotReport) -> Result<(), String> {
    tell(sink, report).await?;
    sink.finish().await.map_err(text)
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
