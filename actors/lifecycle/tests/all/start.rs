//! Starting: the order, the unwinding of a failed start, the sidecar's exception.

use crate::capabilities::{Diary, Scripts, Way, host};
use octopussy_core::capability::CapabilityId as Id;
use octopussy_lifecycle::{Cause, Deadline, Phase, ShutdownReport, StartAllError, System};
use std::time::Duration;

async fn start(scripts: Scripts) -> Result<System, StartAllError> {
    scripts.register().unwrap().seal().unwrap().start_all(host()).await
}

async fn fails(scripts: Scripts) -> StartAllError {
    match start(scripts).await {
        Ok(_) => panic!("the start was to fail"),
        Err(error) => error,
    }
}

fn stopped(report: &ShutdownReport) -> Vec<Id> {
    report.stopped.iter().map(|stopped| stopped.capability).collect()
}

#[tokio::test(start_paused = true)]
async fn starts_in_order_and_stops_in_reverse() {
    let diary = Diary::default();
    let host = host();
    let board = host.board.clone();
    assert!(!board.is_ready(), "an empty board is not a ready system");
    let registry = Scripts::new(&diary).register().unwrap().seal().unwrap();
    assert_eq!(registry.order(), [Id::Secrets, Id::Configuration, Id::Observability, Id::TokenBudget]);
    assert_eq!(diary.take(), Vec::<String>::new(), "nothing happens before the start");

    let system = registry.start_all(host).await.unwrap();
    assert!(board.is_ready());
    assert!(system.phases().iter().all(|(_, phase, detail)| *phase == Phase::Runtime && detail.is_none()));
    assert_eq!(
        diary.take(),
        [
            "secrets initialize",
            "configuration initialize",
            "observability initialize",
            "token_budget initialize",
            "secrets start",
            "configuration start",
            "observability start",
            "token_budget start",
            "token_budget is measured",
        ]
    );

    let report = system.stop_all(Deadline::after(Duration::from_secs(10))).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(stopped(&report), [Id::TokenBudget, Id::Observability, Id::Configuration, Id::Secrets]);
    assert_eq!(
        diary.take(),
        [
            "token_budget stop",
            "token_budget cleanup",
            "observability stop",
            "observability cleanup",
            "configuration stop",
            "configuration cleanup",
            "secrets stop",
            "secrets cleanup",
        ]
    );
    assert!(board.phases().iter().all(|(_, phase, _)| *phase == Phase::Ended));
    assert!(board.views().iter().all(|view| view.state == "ended"));
    assert!(!board.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_bad_configuration_stops_everything_before_anything_is_touched() {
    let diary = Diary::default();
    let mut scripts = Scripts::new(&diary);
    scripts.token_budget.initialize = Way::Fails;
    let error = fails(scripts).await;
    assert_eq!((error.capability, error.phase), (Id::TokenBudget, Phase::Initialize));
    assert!(matches!(error.cause, Cause::Initialize(_)));
    assert!(error.unwound.stopped.is_empty());
    assert!(!diary.take().iter().any(|line| line.ends_with("start")));
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_is_undone_in_reverse_and_names_its_cause() {
    let diary = Diary::default();
    let mut scripts = Scripts::new(&diary);
    scripts.token_budget.start = Way::Fails;
    let host = host();
    let board = host.board.clone();
    let error = match scripts.register().unwrap().seal().unwrap().start_all(host).await {
        Ok(_) => panic!("the start was to fail"),
        Err(error) => error,
    };
    assert_eq!(
        error.chain(),
        "capability 'token_budget' failed in its phase 'start': the file cannot be opened: disk on fire"
    );
    assert!(error.unwound.is_clean());
    assert_eq!(stopped(&error.unwound), [Id::Observability, Id::Configuration, Id::Secrets]);
    let written = diary.take();
    assert_eq!(
        written[8..],
        [
            "observability stop",
            "observability cleanup",
            "configuration stop",
            "configuration cleanup",
            "secrets stop",
            "secrets cleanup",
        ]
    );
    assert_eq!(board.phase(Id::TokenBudget), Some(Phase::Failed));
    assert_eq!(board.phase(Id::Secrets), Some(Phase::Ended));
}

#[tokio::test(start_paused = true)]
async fn those_behind_a_failure_are_never_started() {
    let diary = Diary::default();
    let mut scripts = Scripts::new(&diary);
    scripts.configuration.start = Way::Panics;
    let error = fails(scripts).await;
    assert_eq!(error.capability, Id::Configuration);
    assert!(matches!(&error.cause, Cause::Panicked(message) if message == "start broke"), "{}", error.chain());
    assert_eq!(stopped(&error.unwound), [Id::Secrets]);
    let written = diary.take();
    assert!(
        !written.iter().any(|line| line.starts_with("token_budget start") || line.starts_with("observability start"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_initialize_is_an_error() {
    let mut scripts = Scripts::new(&Diary::default());
    scripts.secrets.initialize = Way::Panics;
    let error = fails(scripts).await;
    assert!(matches!(&error.cause, Cause::Panicked(message) if message == "initialize broke"));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_is_given_up() {
    let mut scripts = Scripts::new(&Diary::default());
    scripts.configuration.start = Way::Hangs;
    let before = tokio::time::Instant::now();
    let error = fails(scripts).await;
    assert!(matches!(error.cause, Cause::TimedOut(limit) if limit == Duration::from_secs(30)));
    assert_eq!(before.elapsed().as_secs(), 30);
    assert_eq!(stopped(&error.unwound), [Id::Secrets]);
}

#[tokio::test(start_paused = true)]
async fn the_host_can_give_a_start_up() {
    let mut scripts = Scripts::new(&Diary::default());
    scripts.observability.start = Way::Hangs;
    let host = host();
    let interrupt = host.interrupt.clone();
    let registry = scripts.register().unwrap().seal().unwrap();
    let starting = tokio::spawn(registry.start_all(host));
    tokio::time::sleep(Duration::from_secs(1)).await;
    interrupt.cancel();
    // A sidecar's failure is no reason to go on when the host wants to end.
    let Err(error) = starting.await.unwrap() else { panic!("the start was to be given up") };
    assert!(matches!(error.cause, Cause::Interrupted));
    assert_eq!(stopped(&error.unwound), [Id::Configuration, Id::Secrets]);
}

async fn sidecar_is_replaced(way: impl Fn(&mut Scripts), reason: &str) {
    let diary = Diary::default();
    let mut scripts = Scripts::new(&diary);
    way(&mut scripts);
    let host = host();
    let board = host.board.clone();
    let before = tokio::time::Instant::now();
    let system = scripts.register().unwrap().seal().unwrap().start_all(host).await.unwrap();
    assert!(before.elapsed() <= Duration::from_secs(6), "others waited {:?}", before.elapsed());
    assert!(diary.take().contains(&"token_budget is not measured".to_owned()));
    let (_, phase, detail) = board.phases().into_iter().find(|(id, ..)| *id == Id::Observability).unwrap();
    assert_eq!(phase, Phase::Failed);
    assert!(detail.as_deref().is_some_and(|detail| detail.contains(reason)), "{detail:?}");
    assert!(board.is_ready(), "a sidecar is only missed");

    let report = system.stop_all(Deadline::after(Duration::from_secs(10))).await;
    assert_eq!(stopped(&report), [Id::TokenBudget, Id::Configuration, Id::Secrets]);
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_fails_to_start_is_replaced() {
    sidecar_is_replaced(|scripts| scripts.observability.start = Way::Fails, "disk on fire").await;
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_panics_is_replaced() {
    sidecar_is_replaced(|scripts| scripts.observability.start = Way::Panics, "start broke").await;
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_hangs_is_replaced_soon() {
    sidecar_is_replaced(|scripts| scripts.observability.start = Way::Hangs, "not done after 5s").await;
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_with_a_bad_configuration_is_replaced() {
    sidecar_is_replaced(|scripts| scripts.observability.initialize = Way::Fails, "section does not fit").await;
}
