//! How fast it is; not run by itself.

use super::super::super::types::GroupId;
use super::support::*;
use futures::stream::{FuturesOrdered, StreamExt};
use octopussy_core::codec;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const GROUPS: u16 = 16;
const IN_FLIGHT: usize = 64;
const BYTES: usize = 256;
const TIME: Duration = Duration::from_secs(5);

/// Run with `--release -- --ignored --nocapture speed`, and `TMPDIR` on the disk in question.
#[ignore = "a measurement, not a test"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_per_second() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let begun = Instant::now();
    let groups = (0..GROUPS).map(|group| {
        let mut log = host.group(GroupId(group));
        tokio::spawn(async move {
            let mut waiting = FuturesOrdered::new();
            let mut index = 0;
            while begun.elapsed() < TIME {
                while waiting.len() < IN_FLIGHT {
                    waiting.push_back(begin_append(&mut log, vec![entry_of(1, index, BYTES)]).await);
                    index += 1;
                }
                assert!(waiting.next().await.unwrap());
            }
            while let Some(done) = waiting.next().await {
                assert!(done);
            }
            index
        })
    });
    let mut entries = 0;
    for group in groups.collect::<Vec<_>>() {
        entries += group.await.unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let commits = disk.commits.load(Ordering::SeqCst);
    writeln!(
        std::io::stderr(),
        "log: {:.0} entries/s, {:.0} commits/s, {:.0} entries a commit",
        entries as f64 / seconds,
        commits as f64 / seconds,
        entries as f64 / commits as f64
    )
    .unwrap();
    close(host).await;
    plain_file(dir.path());
}

/// The same bytes appended to a file by a loop without anything else, as many at once as there were in flight.
fn plain_file(dir: &std::path::Path) {
    let encoded = codec::encode(&entry_of(1, 1, BYTES)).unwrap();
    for batch in [1, 64, usize::from(GROUPS) * IN_FLIGHT] {
        let mut file = std::fs::File::create(dir.join("plain")).unwrap();
        let (begun, mut syncs) = (Instant::now(), 0_usize);
        while begun.elapsed() < TIME / 2 {
            let bytes: Vec<u8> = (0..batch).flat_map(|_| encoded.iter().copied()).collect();
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
            syncs += 1;
        }
        let seconds = begun.elapsed().as_secs_f64();
        writeln!(
            std::io::stderr(),
            "plain file, {batch} at once: {:.0} entries/s, {:.0} syncs/s",
            (syncs * batch) as f64 / seconds,
            syncs as f64 / seconds
        )
        .unwrap();
    }
}
