//! Doors for the fuzz targets: what meets bytes of other machines before anything else does.

use crate::hello::Hello;
use crate::lane::{answer, answer_head, request, request_head};
use crate::wire::{FrameDecoder, TooLong};
use bytes::Bytes;

/// The longest frame here: a few thousand bytes meet every branch, short and long, and are quickly made.
const LIMIT: usize = 16 * 1024;

/// A stream of frames, cut into pieces of as many bytes as the first byte says, each frame taken for a request and an answer of a
/// lane.
///
/// # Panics
/// When a frame is longer than its bound, or is not what its parts make again.
pub fn frames(bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let mut decoder = FrameDecoder::new(LIMIT);
    for piece in bytes.chunks(usize::from(cut).max(1)) {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => {
                    assert!(frame.len() <= LIMIT, "{} bytes", frame.len());
                    lane(&frame);
                }
                Ok(None) => break,
                Err(TooLong(length)) => {
                    assert!(length > LIMIT, "{length} bytes are not too many");
                    return;
                }
            }
        }
    }
}

fn lane(frame: &Bytes) {
    if let Some((id, within, body)) = request(frame.clone()) {
        assert_eq!([&request_head(id, within)[..], &body].concat(), frame.as_ref(), "a request");
    }
    if let Some((id, outcome)) = answer(frame.clone()) {
        let head = answer_head(id, outcome.is_ok());
        let (Ok(body) | Err(body)) = outcome;
        assert_eq!([&head[..], &body].concat(), frame.as_ref(), "an answer");
    }
}

/// A greeting.
///
/// # Panics
/// When it is not heard as it is said.
pub fn hello(bytes: &[u8]) {
    let Ok(hello) = Hello::decode(bytes) else { return };
    let _checked = hello.check("cluster", &(1..=3));
    assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::OutBuffer;
    use octopussy_core::lineage::Lineage;
    use octopussy_corpus::replay;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn the_corpus_of_frames_passes() {
        let mut out = OutBuffer::default();
        out.push(&request_head(7, Duration::from_millis(250)), Bytes::from_static(b"a request"));
        out.push(&answer_head(7, true), Bytes::from_static(b"an answer"));
        out.push(&answer_head(8, false), Bytes::from_static(b"a refusal"));
        out.push(&[], Bytes::from(vec![3; 5_000]));
        let stream = out.take().concat();
        let cut = |cut: u8| [&[cut][..], &stream].concat();
        replay("mesh_frames", frames, &[("whole", cut(255)), ("in-pieces", cut(3))]);
    }

    #[test]
    fn the_corpus_of_greetings_passes() {
        let hello = |addresses: &[&str]| Hello {
            cluster: Arc::from("01234567-89ab-cdef-0123-456789abcdef"),
            oldest: 1,
            newest: 2,
            lineage: Lineage::numbered(3),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            attempt: 3,
        };
        let two = hello(&["192.0.2.1:47210", "[2001:db8::1]:47210"]);
        replay("mesh_hello", super::hello, &[("bare", hello(&[]).encode()), ("two-addresses", two.encode())]);
    }
}
