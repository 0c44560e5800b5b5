//! What must hold, one invariant a file.

mod agreed;
mod apart;
mod bounded;
mod digests;
mod epochs;
mod lost;
mod once;
mod punctual;
mod repeated;

use super::event::Event;
use super::world::World;

/// Something that must hold while a run goes on.
pub(super) trait Invariant: Send {
    /// Looks at what has just happened, `now` milliseconds after the beginning.
    fn see(&mut self, now: u64, event: &Event) -> Result<(), String>;
}

/// Those that look at each event.
pub(super) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::<apart::Apart>::default(),
        Box::<epochs::Epochs>::default(),
        Box::<once::Once>::default(),
        Box::<punctual::Punctual>::default(),
        Box::<repeated::Repeated>::default(),
    ]
}

/// Now and then while a run goes on.
pub(super) fn sampled(world: &World) -> Result<(), String> {
    bounded::check(world)
}

/// Once all trouble is over; until it holds, the cluster is given time.
pub(super) fn settled(world: &World) -> Result<(), String> {
    lost::check(world)?;
    agreed::check(world)?;
    digests::check(world)?;
    bounded::check_rest(world)
}
