use super::error::SwimError;
use super::identity::Identity;
use bytes::Bytes;
use foca::{Member, State};
use octopussy_core::codec;
use octopussy_core::ports::{
    MeshRequest, RequestError, RequestKind, decode_request as read_request, encode_request as write_request,
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The most members a full state may have: more than a cluster of this kind ever has, and 300 KB at most.
pub(super) const MAX_MEMBERS: usize = 4_096;

/// What is asked on the membership lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// "This is the digest of what I know; tell me what you know if yours is another."
    Compare { me: Identity, digest: u64 },
    /// "This is what I know."
    Tell(Vec<Member<Identity>>),
    /// "You are suspected: do you answer?"
    Doubt(Member<Identity>),
}

impl MeshRequest for Request {
    fn kind(&self) -> RequestKind {
        match self {
            Self::Compare { .. } => RequestKind::MembershipCompare,
            Self::Tell(_) => RequestKind::MembershipTell,
            Self::Doubt(_) => RequestKind::MembershipDoubt,
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Nothing is missing.
    Same,
    /// What the answering node knows; it wants to be told in turn.
    Differs(Vec<Member<Identity>>),
    /// To a doubt: the answering node, in an incarnation that nobody suspects.
    Here(Member<Identity>),
}

/// A digest of who is in and who is out. Suspicion and incarnations are not in it: they pass by themselves, and would have
/// two nodes exchange everything because of one lost packet.
pub(super) fn digest(members: &[Member<Identity>]) -> u64 {
    let mut lines: Vec<[u8; 29]> = members
        .iter()
        .map(|member| {
            let identity = member.id();
            let mut line = [0; 29];
            line[..16].copy_from_slice(&identity.node.0);
            line[16..24].copy_from_slice(&identity.boot.to_be_bytes());
            line[24..28].copy_from_slice(&identity.renewal.to_be_bytes());
            line[28] = u8::from(member.state() == State::Down);
            line
        })
        .collect();
    lines.sort_unstable();
    xxh3_64(lines.as_flattened())
}

pub(super) fn encode<T: Serialize>(message: &T) -> Bytes {
    // Nothing in these types is of unknown length, the one thing postcard cannot write. An empty frame is refused.
    codec::encode(message).map(Bytes::from).unwrap_or_default()
}

pub(super) fn encode_request(request: &Request) -> Bytes {
    write_request(request).map(Bytes::from).unwrap_or_default()
}

pub(super) fn decode_request(frame: &[u8]) -> Result<Request, SwimError> {
    let request: Request = read_request(frame).map_err(|error| match error {
        RequestError::Codec(error) => SwimError::Codec(error),
        RequestError::Kind => SwimError::Kind,
    })?;
    match &request {
        Request::Compare { .. } | Request::Doubt(_) => Ok(request),
        Request::Tell(members) => bounded(members).map(|()| request),
    }
}

pub(super) fn decode_answer(frame: &[u8]) -> Result<Answer, SwimError> {
    let answer: Answer = codec::decode(frame).map_err(SwimError::Codec)?;
    match &answer {
        Answer::Same | Answer::Here(_) => Ok(answer),
        Answer::Differs(members) => bounded(members).map(|()| answer),
    }
}

fn bounded(members: &[Member<Identity>]) -> Result<(), SwimError> {
    if members.len() > MAX_MEMBERS {
        return Err(SwimError::TooMany { actual: members.len(), limit: MAX_MEMBERS });
    }
    Ok(())
}
