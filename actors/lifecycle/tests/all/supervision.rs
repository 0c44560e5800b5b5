//! What happens when a capability dies while it serves.

use crate::capabilities::{Diary, Scripts, host};
use octopussy_core::capability::CapabilityId as Id;
use octopussy_lifecycle::{Deadline, Failure, Phase};
use std::time::Duration;
use tokio::sync::oneshot;

#[tokio::test(start_paused = true)]
async fn a_death_is_told_and_the_dead_is_still_stopped() {
    let diary = Diary::default();
    let (kill, dies) = oneshot::channel();
    let mut scripts = Scripts::new(&diary);
    scripts.configuration.dies = Some(dies);
    let mut system = scripts.register().unwrap().seal().unwrap().start_all(host()).await.unwrap();

    let early = tokio::time::timeout(Duration::from_secs(3600), system.next_failure()).await;
    assert!(early.is_err(), "nobody has died yet");
    kill.send("its root actor is gone".to_owned()).unwrap();
    let failure = system.next_failure().await;
    assert_eq!(failure, Failure { capability: Id::Configuration, reason: "its root actor is gone".into() });
    assert!(failure.is_fatal());
    assert_eq!(system.board().waits_for(), Some((Id::Configuration, Phase::Failed)));
    assert!(!system.board().is_ready());

    diary.take();
    let report = system.stop_all(Deadline::after(Duration::from_secs(10))).await;
    assert!(report.is_clean(), "{report}");
    assert!(diary.take().contains(&"configuration cleanup".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_death_of_a_sidecar_is_not_fatal() {
    let (kill, dies) = oneshot::channel();
    let mut scripts = Scripts::new(&Diary::default());
    scripts.observability.dies = Some(dies);
    let mut system = scripts.register().unwrap().seal().unwrap().start_all(host()).await.unwrap();
    kill.send("the exporter is gone".to_owned()).unwrap();
    let failure = system.next_failure().await;
    assert!(!failure.is_fatal());
    assert!(system.board().is_ready());
    assert!(system.stop_all(Deadline::after(Duration::from_secs(10))).await.is_clean());
}
