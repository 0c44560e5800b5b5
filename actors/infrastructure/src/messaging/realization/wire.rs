//! What nodes say to each other about news and agents. Variants and fields are only ever appended: their order is their
//! encoding, behind the version byte of the codec.

use bytes::Bytes;
use octopussy_core::codec;
use octopussy_core::ids::AgentId;
use octopussy_core::message::Message;
use octopussy_core::ports::{AgentLive, Event, EventId, EventKind, MAX_FRAME_BYTES, MeshRequest, RequestKind, Topic};
use octopussy_core::problem::Problem;
use serde::{Deserialize, Serialize};

/// The size at which news that wait are cut into several frames, so that a watcher need not wait for all of them.
const FRAME_TARGET: usize = 256 * 1024;

/// How many events a watcher may be told before it asks for more: a burst of tokens, and no more memory than that.
pub(super) const WATCH_CREDIT: usize = 128;

/// A frame from a node whose watchers share the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Say {
    /// A new watcher.
    Watch {
        /// Its number on this stream, never used again.
        watch: u64,
        /// What it wants to hear of.
        topic: Topic,
        /// The last it has heard.
        after: Option<EventId>,
        /// How many events it takes for now.
        credit: usize,
    },
    /// It is gone.
    Unwatch {
        /// Its number.
        watch: u64,
    },
    /// It takes more.
    More {
        /// Its number.
        watch: u64,
        /// How many events more.
        credit: usize,
    },
}

/// A frame to such a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tell {
    /// To which watcher.
    pub(super) watch: u64,
    /// What it is told.
    pub(super) what: Frame,
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Frame {
    /// The subscription stands: from here on everything is told.
    Watching,
    /// News, in order.
    News(Vec<Event>),
    /// There is no subscription.
    Refused(Problem),
    /// Nothing more is told here: this node does not lead the shard, or it stops.
    Moved,
}

/// A request on the lane of agents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Ask {
    /// A CONTROL message for an agent that the receiver hosts.
    Control(Message),
    /// How these agents are.
    Live(Vec<AgentId>),
}

impl MeshRequest for Ask {
    fn kind(&self) -> RequestKind {
        match self {
            Self::Control(_) => RequestKind::AgentControl,
            Self::Live(_) => RequestKind::AgentLive,
        }
    }
}

/// The answer to one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The command was handled, like this.
    Handled(Result<(), Problem>),
    /// The same message is being handled.
    Handling,
    /// The receiver does not lead the agent's shard; nothing was done.
    NotLeader,
    /// The agents whose shards the receiver leads.
    Live(Vec<AgentLive>),
}

/// Encodes a value of this module; `None` for what postcard cannot write, which these types do not have.
pub(super) fn encode<T: Serialize>(value: &T) -> Option<Bytes> {
    codec::encode(value).ok().map(Bytes::from)
}

/// News for a watcher as frames. An event that fits no frame is replaced by a gap, which sends the watcher to the ledger.
pub(super) fn frames(watch: u64, mut events: Vec<Event>) -> Vec<Bytes> {
    let told = Tell { watch, what: Frame::News(events) };
    let Some(frame) = encode(&told) else { return Vec::new() };
    let Frame::News(told) = told.what else { return Vec::new() };
    events = told;
    if frame.len() <= FRAME_TARGET || (events.len() == 1 && frame.len() <= MAX_FRAME_BYTES) {
        return vec![frame];
    }
    if let [event] = &mut events[..] {
        event.kind = EventKind::Gap;
        return frames(watch, events);
    }
    let rest = events.split_off(events.len() / 2);
    let mut all = frames(watch, events);
    all.extend(frames(watch, rest));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ids::Epoch;
    use octopussy_core::problem::Code;
    use octopussy_core::time::Timestamp;
    use proptest::prelude::*;

    fn event(sequence: u64, bytes: usize) -> Event {
        Event {
            id: EventId { epoch: Epoch(3), sequence },
            at: Timestamp::from_millis(1),
            agent: AgentId::from_name("a"),
            task: None,
            kind: EventKind::BudgetExhausted("x".repeat(bytes).into()),
        }
    }

    fn read(frame: &Bytes) -> Vec<Event> {
        match codec::decode(frame).unwrap() {
            Tell { watch: 5, what: Frame::News(events) } => events,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn frames_keep_every_event_in_order(sizes in prop::collection::vec(0_usize..200_000, 0..20)) {
            let events: Vec<_> = (0_u64..).zip(sizes).map(|(sequence, size)| event(sequence, size)).collect();
            let frames = frames(5, events.clone());
            prop_assert!(frames.iter().all(|frame| frame.len() <= FRAME_TARGET));
            prop_assert_eq!(frames.iter().flat_map(read).collect::<Vec<_>>(), events);
        }
    }

    #[test]
    fn what_fits_no_frame_becomes_a_gap() {
        let sent = frames(5, vec![event(1, 1), event(2, MAX_FRAME_BYTES), event(3, 1)]);
        let kinds: Vec<_> = sent.iter().flat_map(read).map(|event| (event.id.sequence, event.kind)).collect();
        assert_eq!(kinds.len(), 3);
        assert_eq!(kinds[1], (2, EventKind::Gap));
    }

    #[test]
    fn problems_travel_with_their_code() {
        let problem = Problem::new(Code::AgentStopped, "it is stopped").hint("start it");
        let frame = encode(&Frame::Refused(problem.clone())).unwrap();
        assert_eq!(codec::decode::<Frame>(&frame).unwrap(), Frame::Refused(problem));
        assert!(codec::decode::<Frame>(&frame[..frame.len() - 3]).is_err());
    }
}
