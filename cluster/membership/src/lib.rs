//! Who answers right now: the reachability plane of the mesh.
//!
//! [`swim`] decides: the SWIM protocol with suspicion as a state machine without sockets, clocks or random sources of its own.
//! [`Membership`] acts: it runs that state machine over a [`MeshPort`](octopussy_core::ports::MeshPort) – datagrams for the
//! protocol, the membership lane for full states – and answers as
//! [`ReachabilityPort`](octopussy_core::ports::ReachabilityPort).
//!
//! What is said here is an observation and never a decision: nothing is placed, led or removed because of it alone.
//!
//! # Why foca alone renews identities that nobody called down
//!
//! Under packet loss, foca 2.0.0 has nodes change their identity now and then although no peer ever declared them down. The
//! cause is in its handling of `Timer::ChangeSuspectToDown`. The timer carries the incarnation that was suspected, and the
//! member list rightly refuses to declare a member down whose incarnation has grown since, which is how a suspicion is
//! refuted. But `Members::apply_existing_if` answers `Some(summary)` for every *known* member, also when its condition
//! failed, and the caller takes `Some` for "went down": with `notify_down_members` it sends the member a `TurnUndead`. So
//! every suspicion that was refuted in time still ends, when its timer runs out, with a message that tells a healthy member
//! that it is down; the member believes it, renews its identity, and announces the old one as down. With 5 % loss one probe
//! in 1 600 fails on its direct and its three indirect paths (0.0975 × 0.185³), so that a hundred nodes that probe twice a
//! second come to such a renewal every eight seconds.
//!
//! Switching `notify_down_members` off would hide it and take away how a member learns, after a partition, that it was given
//! up. [`swim::Swim`] owns the timers and therefore drops a `ChangeSuspectToDown` whose member is not, any more, suspected in
//! that very incarnation. `tests/refuted_suspicion.rs` shows both: foca's behaviour, and that a [`swim::Swim`] does not have it.

mod address_observer;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod handlers;
mod membership;
mod timer_queue;
mod view;

pub mod swim;

#[cfg(any(test, feature = "simulation"))]
pub mod simulation;

pub use address_observer::AddressObserver;
pub use error::MembershipError;
pub use membership::Membership;
pub use swim::Settings;
pub use view::{MemberReach, MembershipView};

#[cfg(test)]
mod tests;
