//! The calls of an in-memory node that wait for an answer.

use crate::limits::{LANE_QUEUE, LANE_WINDOW};
use bytes::Bytes;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MeshError};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How many calls may wait to one peer on one lane: as many as the mesh over QUIC takes.
const LIMIT: usize = LANE_WINDOW + LANE_QUEUE;

type Answer = Result<Bytes, MeshError>;

/// The calls, by number.
#[derive(Default)]
pub(super) struct Calls {
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    last: u64,
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    peer: NodeId,
    lane: Lane,
    answer: oneshot::Sender<Answer>,
}

/// A call that waits; dropping it forgets the call.
pub(super) struct Slot {
    table: Arc<Mutex<Table>>,
    id: u64,
}

impl Slot {
    /// The number of the call.
    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.table.lock().waiting.remove(&self.id);
    }
}

impl Calls {
    /// Begins a call, unless there are too many.
    pub(super) fn begin(&self, peer: NodeId, lane: Lane) -> Result<(Slot, oneshot::Receiver<Answer>), MeshError> {
        let mut table = self.table.lock();
        let same = |call: &&Waiting| call.peer == peer && call.lane == lane;
        if table.waiting.len() >= LIMIT && table.waiting.values().filter(same).count() >= LIMIT {
            return Err(MeshError::Congested(peer));
        }
        let (answer, receiver) = oneshot::channel();
        table.last += 1;
        let id = table.last;
        table.waiting.insert(id, Waiting { peer, lane, answer });
        Ok((Slot { table: self.table.clone(), id }, receiver))
    }

    /// Answers a call, if somebody still waits.
    pub(super) fn answer(&self, id: u64, answer: Answer) {
        let call = self.table.lock().waiting.remove(&id);
        if let Some(call) = call {
            let _gone = call.answer.send(answer);
        }
    }

    /// Ends all calls, or those to one peer.
    pub(super) fn end(&self, peer: Option<NodeId>, error: &MeshError) {
        let ended = {
            let mut table = self.table.lock();
            let (ended, kept) = std::mem::take(&mut table.waiting)
                .into_iter()
                .partition::<BTreeMap<_, _>, _>(|(_, call)| peer.is_none_or(|peer| peer == call.peer));
            table.waiting = kept;
            ended
        };
        for call in ended.into_values() {
            let _gone = call.answer.send(Err(error.clone()));
        }
    }
}
