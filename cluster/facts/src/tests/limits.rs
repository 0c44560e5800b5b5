//! A node's facts stay under their bound, and what others tell may be anything.

use crate::FactsError;
use crate::bounds::{MAX_MESSAGE_BYTES, harmless};
use crate::records::{LOAD_KEY, LoadRecord, MAX_FACTS_BYTES, NODE_KEY, NodeRecord, decode, encode};
use crate::table::Table;
use crate::transport::read;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, NodeFactsView};
use proptest::prelude::*;

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
    let encoded = encode(facts).unwrap();
    encoded.node.len() + NODE_KEY.len() + encoded.load.len() + LOAD_KEY.len()
}

#[test]
fn all_models_are_told_while_they_fit() {
    let encoded = encode(&facts(50)).unwrap();
    assert_eq!((encoded.models_left_out, &encoded.view), (0, &facts(50)));
}

#[test]
fn the_last_models_are_left_out_when_they_do_not() {
    let encoded = encode(&facts(1_000)).unwrap();
    let kept = encoded.view.models.len();
    assert_eq!(kept + encoded.models_left_out, 1_000);
    assert_eq!(encoded.view.models[..], facts(1_000).models[..kept]);
    let length = length(&facts(1_000));
    assert!((MAX_FACTS_BYTES - 100..=MAX_FACTS_BYTES).contains(&length), "{length}");
}

#[test]
fn facts_that_are_too_long_without_models_are_refused() {
    let profile = "x".repeat(MAX_FACTS_BYTES);
    let refused = encode(&NodeFactsView { profile, ..facts(0) });
    assert!(matches!(refused, Err(FactsError::TooLarge { limit: MAX_FACTS_BYTES, .. })), "{refused:?}");
}

#[test]
fn an_earlier_life_is_not_heard_any_more() {
    let mut table = Table::default();
    let (old, new) = (encode(&facts(1)).unwrap(), encode(&facts(2)).unwrap());
    let life = |boot| Incarnation { node: NodeId([1; 16]), boot };
    assert!(table.take(life(2), NODE_KEY, &new.node));
    assert!(!table.take(life(1), NODE_KEY, &old.node));
    assert_eq!(table.views()[&NodeId([1; 16])].models.len(), 2);
}

#[test]
fn a_small_message_cannot_become_a_large_one() {
    // A block of a message: compressed, eleven bytes long, and those are a zstd frame of 65 535 zeros.
    const BLOCK: [u8; 14] = [1, 11, 0, 0x28, 0xb5, 0x2f, 0xfd, 0x60, 0xff, 0xfe, 0xfb, 0xff, 0x07, 0];
    let message = |blocks: usize| [&[0x53, 0xb0, 0, 2][..], &BLOCK.repeat(blocks), &[0]].concat();
    assert!(harmless(&message(256)));
    assert!(!harmless(&message(257)));
    assert!(!harmless(&vec![0; MAX_MESSAGE_BYTES + 1]));
    // As much as a frame of the mesh holds: some twenty gigabytes.
    assert!(read(&[&[1][..], &message(299_000)].concat()).is_none());
}

proptest! {
    #[test]
    fn facts_never_exceed_their_bound(models in proptest::collection::vec("[a-z/]{0,300}", 0..200)) {
        let facts = NodeFactsView { models, ..facts(0) };
        prop_assert!(length(&facts) <= MAX_FACTS_BYTES);
    }

    #[test]
    fn what_others_tell_is_read_or_ignored(key in "node|load|other", value: String) {
        let life = Incarnation { node: NodeId([1; 16]), boot: 1 };
        let mut table = Table::default();
        table.take(life, &key, &value);
        let _: Option<NodeRecord> = decode(&value);
        let _: Option<LoadRecord> = decode(&value);
    }
}
