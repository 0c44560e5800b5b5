use super::identity::Identity;
use super::table::MemberChange;
use bytes::Bytes;
use octopussy_core::ids::NodeId;
use std::time::Duration;

/// What is to be done after an input.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send `frame` as a datagram; nothing happens when it is lost.
    Datagram {
        /// To whom.
        to: NodeId,
        /// At most [`MAX_DATAGRAM_BYTES`](octopussy_core::ports::MAX_DATAGRAM_BYTES).
        frame: Bytes,
    },
    /// Give `timer` back after this time; late is fine, never is not.
    Timer {
        /// How long from now.
        after: Duration,
        /// What to give back.
        timer: SwimTimer,
    },
    /// Ask `to` on the membership lane; give the answer to [`Swim::on_sync_answer`](super::Swim::on_sync_answer). Nothing
    /// happens when there is none.
    Sync {
        /// Whom.
        to: NodeId,
        /// The request.
        request: Bytes,
    },
    /// What is known of a member has changed.
    Changed(MemberChange),
    /// This node took a new identity, because others had given it up or because its address changed.
    Renewed(Identity),
}

/// A timer of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwimTimer {
    /// Which start of the protocol it belongs to: a state that was thrown away must not hear its timers.
    pub(super) generation: u32,
    pub(super) kind: TimerKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimerKind {
    /// One of foca's.
    Foca(foca::Timer<Identity>),
    /// A full state is to be exchanged with a random peer.
    Sync,
    /// The exchange at a new connection may have failed: do it again unless it has been done.
    SyncAgain(NodeId),
}
