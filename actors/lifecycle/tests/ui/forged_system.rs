//! A running system is only to be had from a start.

use octopussy_lifecycle::System;

fn forge() -> System {
    System { units: Vec::new() }
}

fn main() {}
