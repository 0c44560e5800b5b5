//! Lanes: many small requests and answers on one long-lived stream, matched by number, in any order, with a bounded window.
//!
//! A request is a frame of its number (8 bytes), the milliseconds it may take (4) and its content; an answer one of the
//! number, a status byte and the content or the reason of a refusal. Numbers are little-endian.

mod message;
mod outgoing;
mod serving;
mod slots;

#[cfg(any(test, fuzzing))]
#[cfg(any(test, fuzzing))]
pub(crate) use message::{Kind, answer, answer_head, request, request_head};
pub(crate) use outgoing::LaneOut;
pub(crate) use serving::{LANE_FRAME, ServedLane, serve};

use octopussy_core::ports::{Lane, StreamKind};

/// The priority of a lane's streams: votes before everything, so that load never looks like death.
pub(crate) const fn lane_priority(lane: Lane) -> i32 {
    match lane {
        Lane::RaftVote => 100,
        Lane::Membership => 90,
        Lane::Control => 80,
        Lane::RaftAppend => 70,
        Lane::Forward => 60,
        Lane::Agent => 50,
        Lane::Model => 30,
        Lane::Blob => 20,
    }
}

/// The priority of a stream for one purpose: bulk after everything else.
pub(crate) const fn stream_priority(kind: StreamKind) -> i32 {
    match kind {
        StreamKind::Events => 40,
        StreamKind::Tokens => 30,
        StreamKind::Snapshot => -10,
        StreamKind::BlobPut | StreamKind::BlobGet => -20,
    }
}
