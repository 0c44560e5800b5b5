//! What a node may ask of another on the mesh, kind by kind, and who judges whether it may.
//!
//! The kind stands in front of everything else, so that whoever receives a request can refuse it without having read the rest.

use super::{Lane, StreamKind};
use crate::codec::{self, CodecError};
use crate::ids::NodeId;
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

/// Where a request comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Door {
    /// A lane.
    Lane(Lane),
    /// A stream of its own.
    Stream(StreamKind),
    /// A datagram.
    Datagram,
    /// A one-way message.
    Gossip,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal at $door:expr, $text:literal;)*) => {
        /// A kind of request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum RequestKind { $($(#[$doc])* $variant = $code,)* }

        impl RequestKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The first byte of a request of this kind.
            #[must_use]
            pub const fn code(self) -> u8 { self as u8 }

            /// The kind that a request's first byte names.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* 0..=u8::MAX => None }
            }

            /// Where requests of this kind come in.
            #[must_use]
            pub const fn door(self) -> Door { match self { $(Self::$variant => $door,)* } }

            /// Its name in logs.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $text,)* } }
        }
    };
}

kinds! {
    /// A leader says that it is there.
    Heartbeats = 0x01 at Door::Lane(Lane::RaftVote), "heartbeats";
    /// A candidate asks for a vote.
    Vote = 0x02 at Door::Lane(Lane::RaftVote), "vote";
    /// A node asks whether it would get a vote.
    PreVote = 0x03 at Door::Lane(Lane::RaftVote), "pre-vote";
    /// A leader hands over.
    Transfer = 0x04 at Door::Lane(Lane::RaftVote), "transfer of leadership";
    /// What does a node's clock show?
    Clock = 0x05 at Door::Lane(Lane::RaftVote), "question about the clock";
    /// A leader asks which replica of a group a node has.
    Introduce = 0x06 at Door::Lane(Lane::RaftVote), "question about a replica";
    /// A leader wants another replica in the place of one that it has let go.
    Renew = 0x07 at Door::Lane(Lane::RaftVote), "wish for another replica";
    /// A leader sends log entries.
    Append = 0x08 at Door::Lane(Lane::RaftAppend), "log entries";
    /// A leader sends a snapshot.
    Snapshot = 0x0c at Door::Stream(StreamKind::Snapshot), "snapshot";

    /// Something is to be read at a shard's leader.
    LedgerRead = 0x10 at Door::Lane(Lane::Forward), "read of the ledger";
    /// A task is to be accepted, cancelled, tried again or forgotten.
    TaskCommand = 0x11 at Door::Lane(Lane::Forward), "command about a task";
    /// An agent is to be made, changed or charged.
    AgentCommand = 0x12 at Door::Lane(Lane::Forward), "command about an agent";
    /// What only a shard's leader proposes, and only to itself.
    LeaderCommand = 0x13 at Door::Lane(Lane::Forward), "command of a shard's leader";
    /// Who belongs to a group, as its leader has it?
    LeaderWord = 0x14 at Door::Lane(Lane::Forward), "question about a group";
    /// Digests of replicas are compared.
    Digests = 0x15 at Door::Lane(Lane::Forward), "comparison of replicas";

    /// What a node is in the cluster, as the one that is asked knows it.
    Standing = 0x20 at Door::Lane(Lane::Control), "question about a node";
    /// A node reports about itself.
    Report = 0x21 at Door::Lane(Lane::Control), "report";
    /// A shard's leader reports where its group is.
    Settle = 0x22 at Door::Lane(Lane::Control), "report of a shard's place";
    /// What is wanted of a member is to change.
    MemberCommand = 0x23 at Door::Lane(Lane::Control), "command about a member";
    /// A machine is let in.
    Admission = 0x24 at Door::Lane(Lane::Control), "admission of a node";
    /// A join token is made or withdrawn.
    TokenCommand = 0x25 at Door::Lane(Lane::Control), "command about a join token";
    /// A shared secret is set or removed.
    SecretCommand = 0x26 at Door::Lane(Lane::Control), "command about a secret";
    /// A node takes shards over whose other replicas are lost.
    Recovery = 0x27 at Door::Lane(Lane::Control), "recovery";
    /// A shared key is offered, known, put to use, or withdrawn.
    KeyCommand = 0x29 at Door::Lane(Lane::Control), "command about a shared key";
    /// What only the control group's leader proposes, and only to itself.
    ControlLeaderCommand = 0x28 at Door::Lane(Lane::Control), "command of the control group's leader";

    /// Is a blob there?
    BlobQuestion = 0x30 at Door::Lane(Lane::Blob), "question about a blob";
    /// A blob's content is to be stored.
    BlobPut = 0x31 at Door::Stream(StreamKind::BlobPut), "blob to store";
    /// A blob's content is wanted.
    BlobGet = 0x32 at Door::Stream(StreamKind::BlobGet), "blob to hand out";

    /// Digests of who answers are compared.
    MembershipCompare = 0x40 at Door::Lane(Lane::Membership), "comparison of memberships";
    /// A node says who answers.
    MembershipTell = 0x41 at Door::Lane(Lane::Membership), "word about memberships";
    /// Does the one that is asked still answer?
    MembershipDoubt = 0x42 at Door::Lane(Lane::Membership), "doubt";
    /// A packet of the membership protocol.
    Swim = 0x43 at Door::Datagram, "packet of the membership protocol";
    /// A node tells what it is.
    Facts = 0x44 at Door::Gossip, "facts";

    /// A control message to an agent.
    AgentControl = 0x50 at Door::Lane(Lane::Agent), "command to an agent";
    /// How agents are.
    AgentLive = 0x51 at Door::Lane(Lane::Agent), "question about agents";
    /// What happens is to be told.
    Events = 0x52 at Door::Stream(StreamKind::Events), "watch";

    /// Which models are lent?
    ModelOffers = 0x60 at Door::Lane(Lane::Model), "question about models";
    /// A model is to answer.
    ModelCall = 0x61 at Door::Stream(StreamKind::Tokens), "call of a model";
}

impl RequestKind {
    /// What is asked by opening a stream.
    #[must_use]
    pub const fn of_stream(kind: StreamKind) -> Self {
        match kind {
            StreamKind::Snapshot => Self::Snapshot,
            StreamKind::Events => Self::Events,
            StreamKind::BlobPut => Self::BlobPut,
            StreamKind::BlobGet => Self::BlobGet,
            StreamKind::Tokens => Self::ModelCall,
        }
    }

    /// The kind of a request that comes in on a lane, by its first byte; `None` when the lane has no such requests.
    #[must_use]
    pub fn on_lane(lane: Lane, request: &[u8]) -> Option<Self> {
        let kind = Self::from_code(*request.first()?)?;
        (kind.door() == Door::Lane(lane)).then_some(kind)
    }
}

/// A request on a lane, which knows its kind.
pub trait MeshRequest: Serialize + DeserializeOwned {
    /// Its kind.
    fn kind(&self) -> RequestKind;
}

/// A request is not what it says it is. Nothing was carried out.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It does not decode.
    #[error("the request cannot be read: {0}")]
    Codec(#[from] CodecError),
    /// It says that it is of another kind: whoever let it in judged something else.
    #[error("the request is not of the kind that it says it is of")]
    Kind,
}

/// A request as it travels: its kind, then the request.
///
/// # Errors
/// As for [`codec::encode`].
pub fn encode_request<R: MeshRequest>(request: &R) -> Result<Vec<u8>, CodecError> {
    codec::encode_behind(request.kind().code(), request)
}

/// Reads what [`encode_request`] wrote.
///
/// # Errors
/// [`RequestError`]; its kind is compared with what it says it is.
pub fn decode_request<R: MeshRequest>(frame: &[u8]) -> Result<R, RequestError> {
    let (code, body) = frame.split_first().ok_or(CodecError::Empty)?;
    let request: R = codec::decode(body)?;
    if request.kind().code() == *code { Ok(request) } else { Err(RequestError::Kind) }
}

/// What a node that connects is, as far as this node can find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It belongs to the cluster.
    Known,
    /// Its key is certified, and nobody has let it in.
    Stranger,
    /// It was removed.
    Removed,
}

/// Judges what other nodes may do. A certificate proves a key; what the key's holder may do is said here.
pub trait MeshGuard: Send + Sync {
    /// What a node is that connects. May take a moment to ask others about a node that is unknown here.
    fn admission(&self, node: NodeId) -> BoxFuture<'static, Admission>;

    /// Whether a node may ask this. Called for every request before anything of it is read; must not block.
    fn allows(&self, from: NodeId, kind: RequestKind) -> bool;
}

/// Lets everybody do everything: for tests and measurements without a cluster.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoGuard;

impl MeshGuard for NoGuard {
    fn admission(&self, _: NodeId) -> BoxFuture<'static, Admission> {
        Box::pin(std::future::ready(Admission::Known))
    }

    fn allows(&self, _: NodeId, _: RequestKind) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeSet;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Question {
        One(u8),
        Other,
    }

    impl MeshRequest for Question {
        fn kind(&self) -> RequestKind {
            match self {
                Self::One(_) => RequestKind::Vote,
                Self::Other => RequestKind::PreVote,
            }
        }
    }

    #[test]
    fn every_kind_is_found_by_its_first_byte_where_it_comes_in() {
        let codes: BTreeSet<u8> = RequestKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), RequestKind::ALL.len());
        for kind in RequestKind::ALL {
            assert_eq!(RequestKind::from_code(kind.code()), Some(*kind));
            for lane in Lane::ALL {
                let here = kind.door() == Door::Lane(*lane);
                assert_eq!(RequestKind::on_lane(*lane, &[kind.code()]), here.then_some(*kind), "{kind:?} on {lane:?}");
            }
        }
        assert_eq!(RequestKind::on_lane(Lane::Forward, &[]), None);
        for stream in StreamKind::ALL {
            assert_eq!(RequestKind::of_stream(*stream).door(), Door::Stream(*stream));
        }
        for lane in Lane::ALL {
            assert!(RequestKind::ALL.iter().any(|kind| kind.door() == Door::Lane(*lane)), "{lane:?} has no requests");
        }
    }

    #[test]
    fn a_request_that_says_it_is_of_another_kind_is_refused() {
        let mut frame = encode_request(&Question::One(7)).unwrap();
        assert_eq!(decode_request::<Question>(&frame).unwrap(), Question::One(7));
        frame[0] = RequestKind::PreVote.code();
        assert!(matches!(decode_request::<Question>(&frame), Err(RequestError::Kind)));
        assert!(matches!(decode_request::<Question>(&[]), Err(RequestError::Codec(_))));
        assert!(matches!(decode_request::<Question>(&frame[..1]), Err(RequestError::Codec(_))));
    }
}
