//! A door for the fuzz targets: what other nodes say about blobs.

use crate::wire::{Answer, Opening, Question, Reply, decode, encode};
use serde::{Serialize, de::DeserializeOwned};

/// A frame; the first byte says of which kind.
///
/// # Panics
/// When one that was read is written as something else.
pub fn frames(bytes: &[u8]) {
    let Some((&kind, frame)) = bytes.split_first() else { return };
    match kind {
        0 => round_trip::<Question>(frame),
        1 => round_trip::<Answer>(frame),
        2 => round_trip::<Opening>(frame),
        3 => round_trip::<Reply>(frame),
        4..=u8::MAX => {}
    }
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq>(frame: &[u8]) {
    let Ok(value) = decode::<T>(frame) else { return };
    let written = encode(&value).expect("what was read can be written");
    assert!(decode::<T>(&written).is_ok_and(|again| again == value), "it is read as something else");
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ids::BlobId;
    use octopussy_corpus::replay;

    fn of_kind<T: Serialize>(kind: u8, frame: &T) -> Vec<u8> {
        [&[kind][..], &encode(frame).unwrap()].concat()
    }

    #[test]
    fn the_corpus_passes() {
        let id = BlobId([5; 32]);
        let seeds = [
            ("has", of_kind(0, &Question::Has(id))),
            ("renew", of_kind(0, &Question::Renew(id))),
            ("which-are-missing", of_kind(0, &Question::Missing(vec![id]))),
            ("these-are-missing", of_kind(1, &Answer::Missing(vec![id]))),
            ("is-there", of_kind(1, &Answer::Has(true))),
            ("put", of_kind(2, &Opening::Put { id, bytes: 300_000 })),
            ("get", of_kind(2, &Opening::Get(id))),
            ("stored", of_kind(3, &Reply::Stored)),
            ("content", of_kind(3, &Reply::Content(300_000))),
            ("missing", of_kind(3, &Reply::Missing)),
            ("failed", of_kind(3, &Reply::Failed("the disk is full".to_owned()))),
        ];
        replay("blobs", frames, &seeds);
    }
}
