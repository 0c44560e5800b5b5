//! Stopping consumes the system: nothing stops twice.

use octopussy_lifecycle::{Deadline, System};

async fn stop(system: System, by: Deadline) {
    let _ = system.stop_all(by).await;
    let _ = system.stop_all(by).await;
}

fn main() {}
