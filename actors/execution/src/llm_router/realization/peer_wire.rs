//! What nodes say to each other about models.
//!
//! Variants and fields are only ever appended: their order is their encoding.

use bytes::Bytes;
use octopussy_core::codec::{self, CodecError};
use octopussy_core::ids::TraceId;
use octopussy_core::ports::{ChatRequest, Completion, LlmError, MeshRequest, RequestKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A model that a node lends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lent {
    /// The provider's name there.
    pub(super) provider: String,
    /// The model.
    pub(super) model: String,
}

/// "What do you lend me?"
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offers;

impl MeshRequest for Offers {
    fn kind(&self) -> RequestKind {
        RequestKind::ModelOffers
    }
}

/// What a call is made for. It stands behind the call, where nodes that do not know it leave it unread; calls of such nodes
/// come without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CallContext {
    /// The trace of the request.
    pub(super) trace: Option<TraceId>,
}

/// The first frame of a call. Nothing can be appended to it: that goes into [`CallContext`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PeerCall {
    /// Whom to ask.
    pub(super) lent: Lent,
    /// What to ask, with what is left of the caller's deadline as its timeout.
    pub(super) request: ChatRequest,
}

/// The frames of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum PeerAnswer {
    /// A piece, as the model speaks.
    Piece(String),
    /// The end.
    Done(Completion),
    /// The other end.
    Failed(LlmError),
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Bytes, CodecError> {
    codec::encode(value).map(Bytes::from)
}

pub(super) fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, CodecError> {
    codec::decode(frame)
}

/// The first frame of a call, with what it is made for.
pub(super) fn encode_call(call: &PeerCall, context: &CallContext) -> Result<Bytes, CodecError> {
    codec::encode(&(call, context)).map(Bytes::from)
}

/// Reads what [`encode_call`] wrote here or in an older build.
pub(super) fn decode_call(frame: &[u8]) -> Result<(PeerCall, CallContext), CodecError> {
    let (call, context): (PeerCall, Option<CallContext>) = codec::decode_with_more(frame)?;
    Ok((call, context.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ports::{ChatTurn, Intent, Role};
    use std::time::Duration;

    fn trace() -> TraceId {
        "4bf92f35-77b3-4da6-a3ce-929d0e0e4736".parse().unwrap()
    }

    fn call() -> PeerCall {
        let request = ChatRequest {
            model: Some("m".to_owned()),
            system: "Be brief.".to_owned(),
            passages: Vec::new(),
            earlier: Vec::new(),
            constraints: Vec::new(),
            turns: vec![ChatTurn { role: Role::User, text: "Why?".to_owned() }],
            intent: Intent::Answer,
            temperature: 0.5,
            max_tokens: 10,
            json: false,
            timeout: Duration::from_secs(3),
            key: None,
            trace: None,
        };
        PeerCall { lent: Lent { provider: "house".to_owned(), model: "m".to_owned() }, request }
    }

    #[test]
    fn the_trace_travels_beside_the_call() {
        let context = CallContext { trace: Some(trace()) };
        let frame = encode_call(&call(), &context).unwrap();
        assert_eq!(decode_call(&frame).unwrap(), (call(), context));
    }

    #[test]
    fn builds_that_know_of_no_trace_are_understood_and_understand() {
        let older = encode(&call()).unwrap();
        assert_eq!(decode_call(&older).unwrap(), (call(), CallContext::default()));
        let newer = encode_call(&call(), &CallContext { trace: Some(trace()) }).unwrap();
        assert_eq!(decode::<PeerCall>(&newer).unwrap(), call());
    }

    #[test]
    fn a_call_that_is_cut_off_is_none() {
        let frame = encode(&call()).unwrap();
        assert!(decode_call(&frame[..frame.len() - 1]).is_err());
    }
}
