//! A subscription at another node.

use super::parts::Parts;
use super::wire::{Frame, Watch, encode};
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Event, EventId, FrameSink, FrameSource, MeshError, StreamKind, Topic};
use octopussy_core::problem::Problem;
use std::collections::VecDeque;
use std::time::Duration;

/// How long another node may take to take up a subscription.
const TAKEN_UP: Duration = Duration::from_secs(2);

/// Why there is no subscription.
#[derive(Debug)]
pub(super) enum NoWatch {
    /// The node cannot be reached, or does not lead the shard: ask the leader there is by then.
    Elsewhere,
    /// It does not want to.
    Refused(Problem),
}

impl From<MeshError> for NoWatch {
    fn from(_: MeshError) -> Self {
        Self::Elsewhere
    }
}

/// News from another node. What it has not been asked for waits there, bounded, and turns into a gap when it is too much.
pub(super) struct RemoteWatch {
    source: Box<dyn FrameSource>,
    /// Kept, because dropping it ends the stream.
    _sink: Box<dyn FrameSink>,
    received: VecDeque<Event>,
}

impl RemoteWatch {
    /// Subscribes at `node`; when this returns, nothing is missed from then on.
    pub(super) async fn open(
        parts: &Parts,
        node: NodeId,
        topic: Topic,
        after: Option<EventId>,
    ) -> Result<Self, NoWatch> {
        let opened = async {
            let mut stream = parts.mesh.open(node, StreamKind::Events).await?;
            let watch = encode(&Watch { topic, after }).ok_or(NoWatch::Elsewhere)?;
            stream.sink.send(watch).await?;
            let frame = stream.source.next().await?.ok_or(NoWatch::Elsewhere)?;
            match codec::decode(&frame) {
                Ok(Frame::Watching) => {
                    Ok(Self { source: stream.source, _sink: stream.sink, received: VecDeque::new() })
                }
                Ok(Frame::Refused(problem)) => Err(NoWatch::Refused(problem)),
                Ok(Frame::Moved | Frame::News(_)) | Err(_) => Err(NoWatch::Elsewhere),
            }
        };
        tokio::time::timeout(TAKEN_UP, opened).await.unwrap_or(Err(NoWatch::Elsewhere))
    }

    /// The next event; `None` when the node tells nothing more.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.received.pop_front() {
                return Some(event);
            }
            let frame = self.source.next().await.ok()??;
            match codec::decode(&frame) {
                Ok(Frame::News(events)) => self.received.extend(events),
                Ok(Frame::Watching) => {}
                Ok(Frame::Refused(_) | Frame::Moved) | Err(_) => return None,
            }
        }
    }
}
