//! How fast a lane is. Not a test of anything: run it with `--ignored --nocapture` to compare two versions of the code.

use super::support::*;
use futures::stream::{FuturesUnordered, StreamExt};
use octopussy_core::ports::{Lane, MeshPort};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn lane_rate() {
    let (a, b) = two().await;
    b.serve(Lane::Agent, Gate::default().handler());
    let request = body(&"x".repeat(64));
    for in_flight in [1, 16, 256, 1024] {
        let begun = Instant::now();
        let mut done = 0_u32;
        let mut calls = FuturesUnordered::new();
        while begun.elapsed() < Duration::from_secs(2) {
            while calls.len() < in_flight {
                calls.push(a.call(id(&b), Lane::Agent, request.clone(), LONG));
            }
            calls.next().await.unwrap().unwrap();
            done += 1;
        }
        let rate = f64::from(done) / begun.elapsed().as_secs_f64();
        println!("{in_flight} in flight: {rate:.0} calls/s, {:.0} µs each", in_flight as f64 * 1e6 / rate);
    }
}
