//! Why a connection was closed, as the close code says it.

use octopussy_core::lineage::Conflict;
use quinn::{ConnectionError, TransportErrorCode, VarInt};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a node is not connected with another. The code travels in the connection's close.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Refusal { $($(#[$doc])* $name = $code,)* }

        impl Refusal {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name used in metrics.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$name => $text,)* } }

            /// The reason that a close code stands for.
            #[must_use]
            pub fn from_code(code: u64) -> Option<Self> {
                Self::ALL.iter().copied().find(|refusal| refusal.code() == code)
            }
        }
    };
}

refusals! {
    /// It belongs to another cluster.
    ForeignCluster = 0x11, "foreign_cluster";
    /// The two understand no wire version in common.
    IncompatibleVersion = 0x12, "incompatible_version";
    /// A newer life of the same node has been seen: this one is over, or its home is an old one.
    StaleIncarnation = 0x13, "stale_incarnation";
    /// It has been removed from the cluster.
    Forgotten = 0x14, "forgotten";
    /// It showed no certificate of the cluster's authority, or is not who was expected.
    WrongIdentity = 0x15, "wrong_identity";
    /// It did not speak the protocol.
    Protocol = 0x16, "protocol";
    /// There are too many.
    Busy = 0x17, "busy";
    /// Its key is certified, and it is no member of the cluster.
    Stranger = 0x18, "stranger";
    /// Its home is a copy, or another one of the node's: two go on from one home.
    IdentityInUse = 0x19, "identity_in_use";
}

impl Refusal {
    /// The close code.
    #[must_use]
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// Whether it is the node's home that is wrong, which does not mend itself.
    pub(crate) const fn is_of_the_home(self) -> bool {
        matches!(self, Self::IdentityInUse | Self::StaleIncarnation)
    }

    /// The refusal that the peer closed the connection with, and its text.
    pub(crate) fn of(error: &ConnectionError) -> Option<(Self, String)> {
        let ConnectionError::ApplicationClosed(close) = error else { return None };
        let refusal = Self::from_code(close.error_code.into_inner())?;
        Some((refusal, String::from_utf8_lossy(&close.reason).into_owned()))
    }
}

impl From<&Conflict> for Refusal {
    fn from(conflict: &Conflict) -> Self {
        match conflict {
            Conflict::Twice { .. } => Self::IdentityInUse,
            Conflict::Past { .. } => Self::StaleIncarnation,
        }
    }
}

/// Whether a handshake failed because one side does not trust the other's certificate.
pub(crate) fn is_distrust(error: &ConnectionError) -> bool {
    let code = match error {
        ConnectionError::TransportError(error) => error.code,
        ConnectionError::ConnectionClosed(close) => close.error_code,
        ConnectionError::VersionMismatch
        | ConnectionError::ApplicationClosed(_)
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => return false,
    };
    // The TLS alerts 42 to 49 are about certificates.
    (42..=49).map(TransportErrorCode::crypto).any(|certificate| certificate == code)
}

/// What others say, as it may be logged: quoted, so that none of it is taken for this node's own words, and not too long.
pub(crate) fn quoted(text: &str) -> String {
    let mut kept: String = text.chars().take(MAX_QUOTED).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    format!("{kept:?}")
}

/// How many characters of what others say are logged.
const MAX_QUOTED: usize = 200;

/// The connection is closed in peace.
pub(crate) const CLOSE_BYE: VarInt = VarInt::from_u32(0);
/// There is a better connection to the same node.
pub(crate) const CLOSE_DUPLICATE: VarInt = VarInt::from_u32(1);
/// A newer life of the node has connected.
pub(crate) const CLOSE_REPLACED: VarInt = VarInt::from_u32(2);

/// The stream's kind is not served.
pub(crate) const STREAM_UNSERVED: VarInt = VarInt::from_u32(0x21);
/// The stream's frames are malformed or too long.
pub(crate) const STREAM_MALFORMED: VarInt = VarInt::from_u32(0x22);
/// The peer may not open such a stream.
pub(crate) const STREAM_FORBIDDEN: VarInt = VarInt::from_u32(0x25);
/// The peer opens streams too quickly.
pub(crate) const STREAM_BUSY: VarInt = VarInt::from_u32(0x23);
/// The stream was given up by its holder.
pub(crate) const STREAM_DROPPED: VarInt = VarInt::from_u32(0x24);

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_others_say_stays_on_one_line_and_within_bounds() {
        let told = quoted("x\n2026-01-01T00:00:00Z  INFO octopussy: a node was let in\u{1b}[2K");
        assert!(!told.contains(['\n', '\u{1b}']) && told.starts_with('"'), "{told}");
        assert!(quoted(&"é\n".repeat(10_000)).chars().count() < 3 * super::MAX_QUOTED);
    }
}
