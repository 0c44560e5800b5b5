//! How much a message may become when it is unpacked.
//!
//! Chitchat compresses what it tells in blocks, each of at most 64 KiB unpacked, and sets no bound on their number: twenty bytes can
//! stand for 64 KiB, and a frame of the mesh for gigabytes.

use chitchat::{ChitchatId, Deserializable};

/// The longest message: chitchat keeps what it tells below 64 KiB, and the digest in front of it has some fifty bytes for each
/// node, of which a mesh has a thousand at most.
pub(crate) const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// The most blocks: chitchat fills them with 16 KiB, so these hold the facts of a thousand nodes, and become 16 MiB at most.
const MAX_BLOCKS: usize = 256;

/// Of the message's types, those that matter here.
const SYN_ACK: u8 = 1;
const ACK: u8 = 2;

/// Of the blocks' types, that which ends them.
const NO_MORE_BLOCKS: u8 = 0;

/// Whether the message can be unpacked without harm. What is not a message at all is left to the one who reads it.
pub(crate) fn harmless(message: &[u8]) -> bool {
    message.len() <= MAX_MESSAGE_BYTES && blocks(message).is_none_or(|blocks| blocks <= MAX_BLOCKS)
}

/// How many blocks the message has; `None` when it has none, or ends before they do.
fn blocks(message: &[u8]) -> Option<usize> {
    // A magic number of two bytes, the version, the type.
    let ([_, _, _, kind], mut rest) = message.split_first_chunk::<4>()?;
    match *kind {
        SYN_ACK => skip_digest(&mut rest)?,
        ACK => {}
        _ => return None,
    }
    let mut count = 0;
    while let Some((kind, after)) = rest.split_first() {
        if *kind == NO_MORE_BLOCKS || count > MAX_BLOCKS {
            break;
        }
        let (length, content) = after.split_first_chunk::<2>()?;
        rest = content.get(usize::from(u16::from_le_bytes(*length))..)?;
        count += 1;
    }
    Some(count)
}

/// For each node its name and three numbers.
fn skip_digest(rest: &mut &[u8]) -> Option<()> {
    for _ in 0..u16::deserialize(rest).ok()? {
        ChitchatId::deserialize(rest).ok()?;
        for _ in 0..3 {
            u64::deserialize(rest).ok()?;
        }
    }
    Some(())
}
