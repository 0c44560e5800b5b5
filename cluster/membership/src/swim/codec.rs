use super::identity::Identity;
use bytes::{Buf, BufMut};
use foca::{Codec, Header, Member, Message};
use octopussy_core::ids::NodeId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

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

/// What the codec notes in passing, because foca tells it nowhere else.
#[derive(Debug, Default)]
pub(super) struct Notes {
    touched: AtomicBool,
    incarnation: AtomicU16,
}

impl Notes {
    /// Whether a member may have changed since this was asked last. Foca encodes every change of a member at the moment it
    /// applies it, for dissemination, so this says when its member list must be looked through – and that it need not be
    /// after the thousands of probes that change nothing.
    pub(super) fn take_touched(&self) -> bool {
        self.touched.swap(false, Ordering::Relaxed)
    }

    /// Has the next [`Notes::take_touched`] say yes.
    pub(super) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }

    /// The incarnation of this node's own identity, as its latest packet said.
    pub(super) fn incarnation(&self) -> foca::Incarnation {
        self.incarnation.load(Ordering::Relaxed)
    }
}

/// A header as it travels. The receiver knows which node it is; it only has to know which identity of it is meant.
#[derive(Serialize, Deserialize)]
pub(super) struct WireHeader {
    pub(super) src: Identity,
    src_incarnation: foca::Incarnation,
    dst_boot: u64,
    dst_renewal: u32,
    pub(super) message: Message<Identity>,
}

/// Postcard items, written whole or not at all.
#[derive(Debug)]
pub(super) struct ItemCodec {
    me: NodeId,
    notes: Arc<Notes>,
}

impl ItemCodec {
    /// The codec of node `me`, and its notes.
    pub(super) fn new(me: NodeId) -> (Self, Arc<Notes>) {
        let notes = Arc::default();
        (Self { me, notes: Arc::clone(&notes) }, notes)
    }
}

impl Codec<Identity> for ItemCodec {
    type Error = ItemError;

    fn encode_header(&mut self, header: &Header<Identity>, buf: impl BufMut) -> Result<(), ItemError> {
        self.notes.incarnation.store(header.src_incarnation, Ordering::Relaxed);
        let header = WireHeader {
            src: header.src,
            src_incarnation: header.src_incarnation,
            dst_boot: header.dst.boot,
            dst_renewal: header.dst.renewal,
            message: header.message.clone(),
        };
        encode(&header, buf)
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Identity>, ItemError> {
        let WireHeader { src, src_incarnation, dst_boot, dst_renewal, message } = decode(buf)?;
        let dst = Identity { node: self.me, boot: dst_boot, renewal: dst_renewal, address: None };
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(&mut self, member: &Member<Identity>, buf: impl BufMut) -> Result<(), ItemError> {
        self.notes.touch();
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
