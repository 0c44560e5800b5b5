//! One connection to one life of one peer.

use crate::bucket::Bucket;
use crate::lane::LaneOut;
use crate::limits::{DATAGRAM_RATE, GOSSIP_STREAMS, STREAM_LIMIT, STREAM_RATE};
use crate::metrics::{Metrics, lane_index};
use bytes::Bytes;
use octopussy_core::ports::{Incarnation, Lane, MeshError, PeerView};
use parking_lot::Mutex;
use quinn::{Connection, VarInt};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// The first byte of a one-way message.
pub(crate) const GOSSIP_TAG: u8 = 0x20;

/// A connection that both ends have agreed on.
pub(crate) struct Link {
    pub(crate) peer: Incarnation,
    pub(crate) connection: Connection,
    pub(crate) rank: Rank,
    pub(crate) streams: Arc<Semaphore>,
    lanes: Vec<Arc<LaneOut>>,
    gossip: Arc<Semaphore>,
    buckets: Mutex<Buckets>,
    metrics: Arc<Metrics>,
}

/// What decides between two connections to the same node; both ends come to the same answer. The newer life wins, then the
/// connection that the node with the lower id dialed, then the later one of the same dialer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) boot: u64,
    pub(crate) dialed_by_lower: bool,
    pub(crate) attempt: u64,
}

struct Buckets {
    streams: Bucket,
    datagrams: Bucket,
}

impl Link {
    pub(crate) fn new(peer: Incarnation, connection: Connection, rank: Rank, metrics: Arc<Metrics>) -> Arc<Self> {
        let now = Instant::now();
        let lane = |lane: &Lane| LaneOut::new(peer.node, *lane, metrics.clone());
        Arc::new(Self {
            peer,
            connection,
            rank,
            streams: crate::stream::permits(),
            lanes: Lane::ALL.iter().map(lane).collect(),
            gossip: Arc::new(Semaphore::new(GOSSIP_STREAMS as usize)),
            buckets: Mutex::new(Buckets {
                streams: Bucket::new(STREAM_RATE, now),
                datagrams: Bucket::new(DATAGRAM_RATE, now),
            }),
            metrics,
        })
    }

    /// The asking side of a lane.
    pub(crate) fn lane(&self, lane: Lane) -> &Arc<LaneOut> {
        &self.lanes[lane_index(lane)]
    }

    /// Where the peer is.
    pub(crate) fn address(&self) -> SocketAddr {
        canonical(self.connection.remote_address())
    }

    pub(crate) fn view(&self) -> PeerView {
        PeerView { incarnation: self.peer, address: self.address(), rtt: self.connection.rtt() }
    }

    /// Whether the connection has not been closed yet.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }

    pub(crate) fn close(&self, code: VarInt, reason: &str) {
        self.connection.close(code, reason.as_bytes());
    }

    /// Ends all calls. The connection is gone.
    pub(crate) fn end(&self) {
        for lane in &self.lanes {
            lane.close();
        }
    }

    /// Whether the peer may begin another stream.
    pub(crate) fn allows_stream(&self) -> bool {
        self.buckets.lock().streams.take(Instant::now())
    }

    /// Whether the peer may send another datagram.
    pub(crate) fn allows_datagram(&self) -> bool {
        self.buckets.lock().datagrams.take(Instant::now())
    }

    /// Sends a datagram; what does not fit on the way is dropped.
    pub(crate) fn datagram(&self, frame: Bytes) -> Result<(), MeshError> {
        let counters = &self.metrics.other;
        match self.connection.send_datagram(frame) {
            Ok(()) => counters.datagrams_sent.add(1),
            Err(quinn::SendDatagramError::ConnectionLost(_)) => return Err(MeshError::NotConnected(self.peer.node)),
            Err(
                quinn::SendDatagramError::UnsupportedByPeer
                | quinn::SendDatagramError::Disabled
                | quinn::SendDatagramError::TooLarge,
            ) => counters.datagrams_dropped.add(1),
        }
        Ok(())
    }

    /// Sends a one-way message on a stream of its own.
    pub(crate) fn gossip(&self, frame: Bytes) -> Result<(), MeshError> {
        let Ok(permit) = self.gossip.clone().try_acquire_owned() else {
            self.metrics.other.gossip_dropped.add(1);
            return Err(MeshError::Congested(self.peer.node));
        };
        let (connection, metrics) = (self.connection.clone(), self.metrics.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let sent = tokio::time::timeout(STREAM_LIMIT, send_gossip(&connection, frame)).await;
            let counter = match sent {
                Ok(true) => &metrics.other.gossip_sent,
                Ok(false) | Err(_) => &metrics.other.gossip_dropped,
            };
            counter.add(1);
        });
        Ok(())
    }
}

async fn send_gossip(connection: &Connection, frame: Bytes) -> bool {
    let Ok(mut stream) = connection.open_uni().await else { return false };
    let mut pieces = [Bytes::from_static(&[GOSSIP_TAG]), frame];
    stream.write_all_chunks(&mut pieces).await.is_ok() && stream.finish().is_ok()
}

/// The address as people write it: IPv4 as such even on a socket that takes both.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_life_wins_then_the_lower_dialer_then_the_later_attempt() {
        let rank = |boot, dialed_by_lower, attempt| Rank { boot, dialed_by_lower, attempt };
        assert!(rank(2, false, 0) > rank(1, true, 9));
        assert!(rank(1, true, 0) > rank(1, false, 9));
        assert!(rank(1, true, 2) > rank(1, true, 1));
    }
}
