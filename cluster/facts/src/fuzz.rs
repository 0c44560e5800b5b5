//! Doors for the fuzz targets: what other nodes tell of themselves.

use crate::records::{LoadRecord, MAX_FACTS_BYTES, NodeRecord, decode, encode, view};
use crate::transport::read;

/// A message as it comes over the mesh.
pub fn message(bytes: &[u8]) {
    let _message = read(bytes);
}

/// The two records of a node's facts, one a line.
///
/// # Panics
/// When facts that were read are longer than their bound.
pub fn records(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (node, load) = text.split_once('\n').unwrap_or((text, ""));
    let (Some(node), load) = (decode::<NodeRecord>(node), decode::<LoadRecord>(load).unwrap_or_default()) else {
        return;
    };
    if let Ok(encoded) = encode(&view(&node, load)) {
        assert!(encoded.node.len() + encoded.load.len() <= MAX_FACTS_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::limits::facts;
    use chitchat::{ChitchatId, Serializable};
    use octopussy_corpus::replay;

    const HEAD: [u8; 4] = [1, 0x53, 0xb0, 0];

    /// Appends a part of a message, in chitchat's own encoding.
    type Part<'a> = &'a dyn Fn(&mut Vec<u8>);

    fn parts(all: &[Part<'_>]) -> Vec<u8> {
        let mut bytes = HEAD.to_vec();
        for part in all {
            part(&mut bytes);
        }
        bytes
    }

    fn digest(bytes: &mut Vec<u8>) {
        1_u16.serialize(bytes);
        ChitchatId::new("", 1_800_000_000, "[fd00::1]:1".parse().unwrap()).serialize(bytes);
        for number in [3_u64, 0, 2] {
            number.serialize(bytes);
        }
    }

    /// A delta that is not compressed: of one node, one key.
    fn delta(bytes: &mut Vec<u8>) {
        let mut operations = Vec::new();
        0_u8.serialize(&mut operations);
        ChitchatId::new("", 1_800_000_000, "[fd00::1]:1".parse().unwrap()).serialize(&mut operations);
        0_u64.serialize(&mut operations);
        0_u64.serialize(&mut operations);
        1_u8.serialize(&mut operations);
        "load".serialize(&mut operations);
        encode(&facts(1)).unwrap().load.serialize(&mut operations);
        1_u64.serialize(&mut operations);
        0_u8.serialize(&mut operations);
        2_u8.serialize(bytes);
        u16::try_from(operations.len()).unwrap().serialize(bytes);
        bytes.extend(operations);
        0_u8.serialize(bytes);
    }

    #[test]
    fn the_corpus_of_messages_passes() {
        let kind = |kind: u8| move |bytes: &mut Vec<u8>| kind.serialize(bytes);
        let cluster = |bytes: &mut Vec<u8>| "cluster".serialize(bytes);
        let seeds = [
            ("syn", parts(&[&kind(0), &digest, &cluster])),
            ("syn-ack", parts(&[&kind(1), &digest, &delta])),
            ("ack", parts(&[&kind(2), &delta])),
            ("bad-cluster", parts(&[&kind(3)])),
        ];
        for (name, seed) in &seeds {
            assert!(read(seed).is_some(), "{name} is not a message");
        }
        replay("facts_message", message, &seeds);
    }

    #[test]
    fn the_corpus_of_records_passes() {
        let both = |models| {
            let encoded = encode(&facts(models)).unwrap();
            format!("{}\n{}", encoded.node, encoded.load).into_bytes()
        };
        replay("facts_records", records, &[("none", both(0)), ("three", both(3))]);
    }
}
