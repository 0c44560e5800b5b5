//! Starting consumes the registry: nothing starts twice.

use octopussy_lifecycle::{Host, Registry, Sealed};

async fn start(sealed: Registry<Sealed>, host: Host) {
    let _ = sealed.start_all(host.clone()).await;
    let _ = sealed.start_all(host).await;
}

fn main() {}
