//! A sealed registry takes nothing more.

use octopussy_lifecycle::{Capability, Registry, Sealed};

fn add<C: Capability>(sealed: Registry<Sealed>, config: C::Config) {
    let _ = sealed.register::<C>(config);
}

fn main() {}
