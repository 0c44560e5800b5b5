//! A node's facts stay under their bound, and what others tell may be anything.

use crate::message::{Told, read, write};
use crate::records::{LoadRecord, MAX_FACTS_BYTES, fit};
use crate::table::Table;
use crate::{FactsError, records};
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::NodeFactsView;
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

const NODE: NodeId = NodeId([1; 16]);

pub(crate) fn facts(models: usize) -> NodeFactsView {
    NodeFactsView {
        version: "0.1.0".to_owned(),
        profile: "board".to_owned(),
        cpus: 4,
        memory_mib: 8_192,
        load: 0.25,
        active_agents: 7,
        gpus: vec!["NVIDIA RTX 4090".to_owned()],
        models: (0..models).map(|number| format!("ollama/model-{number}")).collect(),
        api: "https://board:8443".to_owned(),
        stuck_groups: 3,
    }
}

fn length(facts: &NodeFactsView) -> usize {
    let fitted = fit(facts).unwrap();
    codec::encoded_len(&fitted.node).unwrap() + codec::encoded_len(&fitted.load).unwrap()
}

fn shown(facts: &NodeFactsView) -> NodeFactsView {
    let fitted = fit(facts).unwrap();
    records::view(&fitted.node, fitted.load)
}

fn told(boot: u64, number: u64, models: usize) -> Told {
    let fitted = fit(&facts(models)).unwrap();
    Told { boot, number, node: Some(fitted.node), load: fitted.load }
}

#[test]
fn all_models_are_told_while_they_fit() {
    assert_eq!((fit(&facts(50)).unwrap().models_left_out, shown(&facts(50))), (0, facts(50)));
}

#[test]
fn the_last_models_are_left_out_when_they_do_not() {
    let kept = shown(&facts(1_000)).models;
    assert_eq!(kept.len() + fit(&facts(1_000)).unwrap().models_left_out, 1_000);
    assert_eq!(kept[..], facts(1_000).models[..kept.len()]);
    let length = length(&facts(1_000));
    assert!((MAX_FACTS_BYTES - 100..=MAX_FACTS_BYTES).contains(&length), "{length}");
}

#[test]
fn facts_that_are_too_long_without_models_are_refused() {
    let profile = "x".repeat(MAX_FACTS_BYTES);
    let refused = fit(&NodeFactsView { profile, ..facts(0) });
    assert!(matches!(refused, Err(FactsError::TooLarge { limit: MAX_FACTS_BYTES, .. })), "{refused:?}");
}

#[test]
fn an_earlier_life_and_an_earlier_word_are_not_heard_any_more() {
    let (mut table, now) = (Table::default(), Instant::now());
    assert!(table.take(NODE, told(2, 5, 2), now));
    assert!(!table.take(NODE, told(1, 9, 1), now), "an earlier life");
    assert!(!table.take(NODE, told(2, 4, 1), now), "an earlier word");
    assert_eq!(table.views()[&NODE].models.len(), 2);
    assert!(!table.take(NODE, told(2, 5, 2), now), "the same again is no news");
    let load = LoadRecord::default();
    assert!(table.take(NODE, Told { node: None, load, ..told(2, 6, 0) }, now));
    assert_eq!(table.views()[&NODE].models.len(), 2, "news of the load leave the rest");
    assert!(!table.forget(Duration::from_secs(1), now) && table.forget(Duration::ZERO, now));
    assert!(table.views().is_empty());
}

#[test]
fn a_message_that_is_too_long_or_says_what_no_machine_says_is_not_read() {
    let frame = write(&told(1, 1, 3)).unwrap();
    assert!(read(&frame).is_some());
    assert!(read(&[&frame[..], &[0; MAX_FACTS_BYTES][..]].concat()).is_none());
    for load in [f32::NAN, f32::INFINITY, -1.0] {
        let fitted = fit(&NodeFactsView { load, ..facts(0) }).unwrap();
        assert!(fitted.load.is_plausible());
        let mut bytes = write(&Told { boot: 1, number: 1, node: None, load: fitted.load }).unwrap();
        let at = bytes.len() - 6;
        bytes[at..at + 4].copy_from_slice(&load.to_le_bytes());
        assert!(read(&bytes).is_none(), "{load}");
    }
}

proptest! {
    #[test]
    fn facts_never_exceed_their_bound(models in proptest::collection::vec("[a-z/]{0,300}", 0..200)) {
        let facts = NodeFactsView { models, ..facts(0) };
        prop_assert!(length(&facts) <= MAX_FACTS_BYTES);
        let fitted = fit(&facts).unwrap();
        let told = Told { boot: u64::MAX, number: u64::MAX, node: Some(fitted.node), load: fitted.load };
        prop_assert!(read(&write(&told).unwrap()).is_some());
    }

    #[test]
    fn what_others_tell_is_read_or_ignored(frame: Vec<u8>) {
        let _: Option<Told> = read(&frame);
    }
}
