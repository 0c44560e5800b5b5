//! A registry that is still open cannot be started.

use octopussy_lifecycle::{Host, Registry};

async fn start(host: Host) {
    let _ = Registry::new().start_all(host).await;
}

fn main() {}
