//! The history checker notices what it is there to notice.

use octopussy_tests::{History, Submitted};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn history() -> History {
    let mut history = History::default();
    history.acknowledge(Submitted { key: "k".into(), task: "t".into(), expected: "Re: 1".into() });
    history
}

fn view(task: Value) -> BTreeMap<String, Value> {
    BTreeMap::from([("t".to_owned(), task)])
}

fn good() -> Value {
    json!({"task_id": "t", "state": "SUCCEEDED", "result": "Re: 1", "steps": [{"index": 0, "epoch": 3}, {"index": 1, "epoch": 7}]})
}

#[test]
fn a_clean_history_passes() {
    history().check(&[view(good()), view(good())]).unwrap();
}

#[test]
fn what_must_not_happen_is_noticed() {
    let found = |views: &[BTreeMap<String, Value>]| history().check(views).unwrap_err().join(" ");
    assert!(found(&[BTreeMap::new()]).contains("gone"));
    assert!(found(&[view(json!({"task_id": "t", "state": "RUNNING"}))]).contains("ended as"));
    let mut other = good();
    other["result"] = "Re: 2".into();
    assert!(found(&[view(other)]).contains("another task's result"));
    let mut back = good();
    back["steps"][1]["epoch"] = 2.into();
    assert!(found(&[view(back.clone())]).contains("earlier epoch"));
    assert!(found(&[view(good()), view(back)]).contains("different things"));
    let mut gap = good();
    gap["steps"][1]["index"] = 2.into();
    assert!(found(&[view(gap)]).contains("gap"));
}

#[test]
fn a_key_that_made_two_tasks_is_noticed() {
    let mut history = history();
    history.acknowledge(Submitted { key: "k".into(), task: "u".into(), expected: "Re: 1".into() });
    let views = [BTreeMap::from([("t".to_owned(), good()), ("u".to_owned(), good())])];
    assert!(history.check(&views).unwrap_err().join(" ").contains("two tasks"));
}
