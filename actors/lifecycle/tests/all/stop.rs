//! Stopping: one that hangs, fails or panics never keeps the others from stopping.

use crate::capabilities::{Diary, Scripts, Way, host};
use octopussy_core::capability::CapabilityId as Id;
use octopussy_lifecycle::{Deadline, Ending, Phase, ShutdownReport};
use std::time::Duration;

async fn run(scripts: Scripts, limit: Duration) -> ShutdownReport {
    let host = host();
    let system = scripts.register().unwrap().seal().unwrap().start_all(host).await.unwrap();
    system.stop_all(Deadline::after(limit)).await
}

fn ending(report: &ShutdownReport, id: Id) -> (Ending, Ending) {
    let stopped = report.stopped.iter().find(|stopped| stopped.capability == id).unwrap();
    (stopped.stop.clone(), stopped.cleanup.clone())
}

const CLEAN: (Ending, Ending) = (Ending::Clean, Ending::Clean);

#[tokio::test(start_paused = true)]
async fn a_stop_that_hangs_is_reported_and_the_next_is_stopped() {
    let diary = Diary::default();
    let mut scripts = Scripts::new(&diary);
    scripts.observability.stop = Way::Hangs;
    let before = tokio::time::Instant::now();
    let report = run(scripts, Duration::from_secs(10)).await;
    assert!(before.elapsed() <= Duration::from_secs(10), "the deadline is kept");
    let (stop, cleanup) = ending(&report, Id::Observability);
    assert!(matches!(stop, Ending::TimedOut(_)), "{stop}");
    assert_eq!(cleanup, Ending::Clean);
    for id in [Id::TokenBudget, Id::Configuration, Id::Secrets] {
        assert_eq!(ending(&report, id), CLEAN, "{id}");
    }
    assert!(report.to_string().starts_with("observability: stop not finished after"), "{report}");
    let written = diary.take();
    assert!(written.contains(&"observability cleanup".to_owned()), "clean-up follows in any case");
    assert!(written.ends_with(&["secrets stop".to_owned(), "secrets cleanup".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn when_all_hang_all_are_told_to_stop_before_the_deadline() {
    let diary = Diary::default();
    let mut scripts = Scripts::new(&diary);
    for script in
        [&mut scripts.secrets, &mut scripts.configuration, &mut scripts.observability, &mut scripts.token_budget]
    {
        script.stop = Way::Hangs;
    }
    let before = tokio::time::Instant::now();
    let report = run(scripts, Duration::from_secs(8)).await;
    assert!(before.elapsed() <= Duration::from_secs(9), "{:?}", before.elapsed());
    assert_eq!(report.stopped.len(), 4);
    assert_eq!(diary.take().iter().filter(|line| line.ends_with("cleanup")).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_fails_or_panics_is_reported_and_cleaned_up() {
    let mut scripts = Scripts::new(&Diary::default());
    scripts.token_budget.stop = Way::Panics;
    scripts.configuration.stop = Way::Fails;
    let report = run(scripts, Duration::from_secs(10)).await;
    assert!(!report.is_clean());
    assert_eq!(ending(&report, Id::TokenBudget), (Ending::Panicked("stop broke".into()), Ending::Clean));
    assert_eq!(ending(&report, Id::Configuration), (Ending::Failed("work was left".into()), Ending::Clean));
    assert_eq!(ending(&report, Id::Secrets), CLEAN);
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_that_panics_or_hangs_is_reported() {
    let mut scripts = Scripts::new(&Diary::default());
    scripts.token_budget.cleanup = Way::Panics;
    scripts.configuration.cleanup = Way::Hangs;
    let report = run(scripts, Duration::from_secs(10)).await;
    assert_eq!(ending(&report, Id::TokenBudget), (Ending::Clean, Ending::Panicked("cleanup broke".into())));
    assert!(matches!(ending(&report, Id::Configuration), (Ending::Clean, Ending::TimedOut(_))));
    assert_eq!(ending(&report, Id::Secrets), CLEAN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_blocks_its_thread_is_left_behind() {
    let (release, blocked) = std::sync::mpsc::channel();
    let mut scripts = Scripts::new(&Diary::default());
    scripts.token_budget.stop = Way::Blocks;
    scripts.token_budget.blocks_until = Some(blocked);
    let report = run(scripts, Duration::from_millis(200)).await;
    drop(release);
    assert_eq!(ending(&report, Id::TokenBudget), (Ending::Abandoned, Ending::Abandoned));
    assert_eq!(ending(&report, Id::Configuration).1, Ending::Clean);
    assert_eq!(ending(&report, Id::Secrets).1, Ending::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_system_that_is_dropped_still_stops() {
    let diary = Diary::default();
    let host = host();
    let board = host.board.clone();
    let system = Scripts::new(&diary).register().unwrap().seal().unwrap().start_all(host).await.unwrap();
    drop(system);
    let ended = async {
        while board.phases().iter().any(|(_, phase, _)| *phase != Phase::Ended) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
    assert_eq!(diary.take().iter().filter(|line| line.ends_with("cleanup")).count(), 4);
}
