/// Something from a peer was not taken. In no case has anything changed here, unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum SwimError {
    /// The datagram is empty or was written by a newer build.
    #[error("the datagram has format version {found:?}, this build reads {expected}")]
    Version {
        /// The version byte, where there was one.
        found: Option<u8>,
        /// What this build reads.
        expected: u8,
    },
    /// The datagram names another sender than the one it came from.
    #[error("the datagram does not name its sender")]
    Sender,
    /// A datagram does not decode.
    #[error("the datagram does not decode")]
    Malformed(#[source] postcard::Error),
    /// It calls this node down a moment after it was called so before.
    #[error("this node was called down a moment ago")]
    TooOften,
    /// The protocol refused it: malformed, from ourselves, or out of order. Parts of it may have been applied.
    #[error("the membership protocol refused it: {0}")]
    Protocol(#[source] foca::Error),
    /// A full state does not decode.
    #[error("the full state does not decode")]
    Codec(#[source] octopussy_core::codec::CodecError),
    /// A request says that it is of another kind than it is.
    #[error("the request is not of the kind that it says it is of")]
    Kind,
    /// A full state has more members than any cluster.
    #[error("the full state has {actual} members, the limit is {limit}")]
    TooMany {
        /// How many it has.
        actual: usize,
        /// The bound.
        limit: usize,
    },
    /// This node has left; it takes nothing any more.
    #[error("this node has left the cluster")]
    Left,
}
