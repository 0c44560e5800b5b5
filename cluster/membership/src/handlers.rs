//! How the mesh reaches a [`Membership`]: weakly, so that the two do not keep each other alive.

use crate::Membership;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameHandler, LaneHandler, PeerEvent, PeerObserver};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Takes the mesh's datagrams, requests and news of connections.
pub(crate) struct Handlers(pub(crate) Weak<Membership>);

impl FrameHandler for Handlers {
    fn handle(&self, from: NodeId, frame: Bytes) {
        if let Some(membership) = self.0.upgrade() {
            membership.on_datagram(from, &frame);
        }
    }
}

impl LaneHandler for Handlers {
    fn handle(&self, from: NodeId, request: Bytes, _within: Duration) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        let answer = match self.0.upgrade() {
            Some(membership) => membership.on_request(from, &request),
            None => Err(Arc::from("membership has stopped")),
        };
        futures::future::ready(answer).boxed()
    }
}

impl PeerObserver for Handlers {
    fn on_peer(&self, event: PeerEvent) {
        if let Some(membership) = self.0.upgrade() {
            membership.on_peer(event);
        }
    }
}
