//! Frames: one batch each, numbered in the order of their commits.

use xxhash_rust::xxh3::Xxh3Default;

/// How long the head of a frame is.
pub(super) const HEAD: usize = 32;

/// Frames begin at multiples of this, so that a search for one need not look at every byte.
pub(super) const ALIGN: u64 = 8;

const MAGIC: [u8; 4] = *b"oFrm";

/// The head of a frame: what it says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The length of the payload.
    pub(super) length: u32,
    /// Its number; the next frame has the next.
    pub(super) sequence: u64,
    /// The number of the last frame that was on the disk when this one was written: until there nothing may be missing.
    pub(super) durable: u64,
}

/// Where the frame after one with this payload begins, from the beginning of that one.
pub(super) fn span(payload: usize) -> u64 {
    ((HEAD + payload) as u64).next_multiple_of(ALIGN)
}

/// Fills in the head of the frame in `frame`, whose payload stands behind [`HEAD`] bytes, and pads it.
pub(super) fn seal(frame: &mut Vec<u8>, length: u32, sequence: u64, durable: u64) {
    let whole = usize::try_from(span(frame.len() - HEAD)).unwrap_or(usize::MAX);
    let end = frame.len();
    frame[..4].copy_from_slice(&MAGIC);
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    frame[8..16].copy_from_slice(&sequence.to_le_bytes());
    frame[16..24].copy_from_slice(&durable.to_le_bytes());
    let checksum = checksum(&frame[..24], &frame[HEAD..end]);
    frame[24..HEAD].copy_from_slice(&checksum.to_le_bytes());
    frame.resize(whole, 0);
}

/// The frame at the beginning of `bytes`: its head and its payload. `None` when there is no whole, undamaged one.
pub(super) fn open(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let head = bytes.first_chunk::<HEAD>()?;
    if head[..4] != MAGIC {
        return None;
    }
    let (length, rest) = head[4..].split_first_chunk::<4>()?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let (durable, stored) = rest.split_first_chunk::<8>()?;
    let length = u32::from_le_bytes(*length);
    let payload = bytes.get(HEAD..)?.get(..usize::try_from(length).ok()?)?;
    let stored = u64::from_le_bytes(*stored.first_chunk()?);
    if checksum(&head[..24], payload) != stored {
        return None;
    }
    let (sequence, durable) = (u64::from_le_bytes(*sequence), u64::from_le_bytes(*durable));
    Some((Head { length, sequence, durable }, payload))
}

fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    let mut hasher = Xxh3Default::new();
    hasher.update(head);
    hasher.update(payload);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(payload: &[u8], sequence: u64, durable: u64) -> Vec<u8> {
        let mut frame = vec![0; HEAD];
        frame.extend_from_slice(payload);
        seal(&mut frame, u32::try_from(payload.len()).unwrap(), sequence, durable);
        frame
    }

    proptest! {
        #[test]
        fn a_frame_is_read_as_it_was_made(payload in proptest::collection::vec(any::<u8>(), 0..100), sequence: u64, durable: u64) {
            let frame = frame(&payload, sequence, durable);
            prop_assert_eq!(frame.len() as u64, span(payload.len()));
            let (head, read) = open(&frame).unwrap();
            prop_assert_eq!((head.sequence, head.durable, read), (sequence, durable, payload.as_slice()));
        }

        #[test]
        fn no_damage_goes_unseen(payload in proptest::collection::vec(any::<u8>(), 0..40), bit in 0..(HEAD * 8)) {
            let mut frame = frame(&payload, 7, 3);
            frame[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(open(&frame), None);
        }

        #[test]
        fn a_frame_that_is_cut_is_none(payload in proptest::collection::vec(any::<u8>(), 1..40), cut in 0..72_usize) {
            let frame = frame(&payload, 7, 3);
            let cut = cut.min(HEAD + payload.len() - 1);
            prop_assert_eq!(open(&frame[..cut]), None);
        }
    }
}
