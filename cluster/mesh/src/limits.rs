//! The bounds of the mesh, each with its reason.

use std::time::Duration;

/// How many requests of one lane may be under way to one peer: enough to fill a gigabit link with small requests at a few
/// milliseconds of round-trip time, and a table of a few hundred kilobytes at most.
pub const LANE_WINDOW: usize = 2_048;

/// How long a connection that carries nothing is kept: after this a peer that vanished is known to be gone.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// How many frames of one stream may wait for their reader in the in-memory mesh.
pub(crate) const STREAM_FRAMES: usize = 16;

/// What a node answers on a lane that it does not serve.
pub(crate) const LANE_NOT_SERVED: &str = "the lane is not served";

/// What a node answers to a stream of a kind that it does not serve.
pub(crate) const STREAM_NOT_SERVED: &str = "streams of this kind are not served";
