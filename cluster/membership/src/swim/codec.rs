use super::identity::Identity;
use bytes::{Buf, BufMut};
use foca::{Codec, Header, Member};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The first byte of every datagram.
pub(super) const PROTOCOL_VERSION: u8 = 1;

/// More than the longest header: three identities with IPv6 addresses and the largest numbers are 180 bytes.
const ITEM_BYTES: usize = 256;

/// An item was not written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ItemError {
    /// It does not fit into what is left of the packet. Nothing was written.
    #[error("the packet is full")]
    Full,
    /// The bytes are no such item.
    #[error("the item does not decode")]
    Malformed(#[source] postcard::Error),
}

/// Postcard items, written whole or not at all.
///
/// It also notes when a member is encoded. Foca encodes every change of a member at the moment it applies it, for
/// dissemination, so the note says when its member list must be looked through – and that it need not be after the thousands
/// of probes that change nothing.
#[derive(Debug, Default)]
pub(super) struct ItemCodec {
    touched: Arc<AtomicBool>,
}

impl ItemCodec {
    /// A codec, and its note.
    pub(super) fn new() -> (Self, Arc<AtomicBool>) {
        let codec = Self::default();
        let touched = Arc::clone(&codec.touched);
        (codec, touched)
    }
}

impl Codec<Identity> for ItemCodec {
    type Error = ItemError;

    fn encode_header(&mut self, header: &Header<Identity>, buf: impl BufMut) -> Result<(), ItemError> {
        encode(header, buf)
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Identity>, ItemError> {
        decode(buf)
    }

    fn encode_member(&mut self, member: &Member<Identity>, buf: impl BufMut) -> Result<(), ItemError> {
        self.touched.store(true, Ordering::Relaxed);
        encode(member, buf)
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<Identity>, ItemError> {
        decode(buf)
    }
}

fn encode<T: Serialize>(item: &T, mut buf: impl BufMut) -> Result<(), ItemError> {
    let mut space = [0; ITEM_BYTES];
    let bytes = postcard::to_slice(item, &mut space).map_err(ItemError::Malformed)?;
    if bytes.len() > buf.remaining_mut() {
        return Err(ItemError::Full);
    }
    buf.put_slice(bytes);
    Ok(())
}

fn decode<T: DeserializeOwned>(mut buf: impl Buf) -> Result<T, ItemError> {
    // Foca promises that the buffer is in one piece.
    let (item, rest) = postcard::take_from_bytes(buf.chunk()).map_err(ItemError::Malformed)?;
    let taken = buf.chunk().len() - rest.len();
    buf.advance(taken);
    Ok(item)
}
