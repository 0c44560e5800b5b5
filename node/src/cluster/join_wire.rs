//! What a machine that wants to join says, and what it is answered.

use super::token::JoinSecret;
use octopussy_control::{ClusterRecord, ControlRefusal, MemberRecord, VersionRange};
use octopussy_core::codec::{self, CodecError};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use zeroize::Zeroize as _;

/// The version of this exchange. A node that does not know a request's version says so instead of guessing. From version 2 on the
/// token decides what a node becomes, and only full members are handed keys.
pub(crate) const PROTOCOL: u16 = 2;
/// How far the clocks of two members may be apart: certificates, tokens and deadlines are compared across nodes.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
/// The longest name of a node.
pub(crate) const MAX_NAME: usize = 64;
/// How many addresses of itself a node tells.
pub(crate) const MAX_OWN_ADDRESSES: usize = 16;
/// The longest signing request: an ECDSA one has about 300 bytes.
pub(crate) const MAX_SIGNING_REQUEST: usize = 8 * 1024;
/// How many members a node that joins is told: enough that one of them is there, few enough for one answer.
pub(crate) const MAX_INTRODUCED: usize = 64;

/// "Let me in." Fields are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JoinRequest {
    /// [`PROTOCOL`] of the sender.
    pub(crate) protocol: u16,
    /// The proof of having been invited.
    pub(crate) secret: JoinSecret,
    /// A certificate signing request in DER (PKCS #10): it carries the node's public key and proves that the sender has the
    /// private one. Nothing else in it is taken over.
    pub(crate) signing_request: Vec<u8>,
    /// What it wants to be called.
    pub(crate) name: String,
    /// Whether somebody chose that name; otherwise a number may be added to it when it is taken.
    pub(crate) name_is_chosen: bool,
    /// Whether it wants to be let in as a guest or not at all. What it becomes, the token decides.
    pub(crate) only_as_guest: bool,
    /// Its weight in placement.
    pub(crate) capacity: u32,
    /// Its zone.
    pub(crate) zone: Option<String>,
    /// Where its mesh endpoint will be reached.
    pub(crate) addresses: Vec<SocketAddr>,
    /// What it understands.
    pub(crate) versions: VersionRange,
    /// Which of its lives this is.
    pub(crate) boot: u64,
    /// What its clock says.
    pub(crate) clock: Timestamp,
}

/// A shared secret as it is handed over: the connection is encrypted, and its receiver has proved that it was invited.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HandedSecret {
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: Vec<u8>,
    /// When it was set.
    pub(crate) set_at: Timestamp,
}

impl fmt::Debug for HandedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandedSecret({})", self.name)
    }
}

impl Drop for HandedSecret {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// What full members share, and guests never see. Wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberKeys {
    /// The authority's key, in PEM, so that this member can admit others.
    pub(crate) authority_key: String,
    /// The key that shared secrets are sealed with.
    pub(crate) data_key: [u8; 32],
    /// The shared secrets.
    pub(crate) secrets: Vec<HandedSecret>,
}

impl fmt::Debug for MemberKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberKeys(…)")
    }
}

impl Drop for MemberKeys {
    fn drop(&mut self) {
        self.authority_key.zeroize();
        self.data_key.zeroize();
    }
}

/// "Welcome." Everything a node needs to be a member. Fields are only ever appended.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JoinGrant {
    /// The certificates of the cluster's authorities, in PEM, the one that signs first.
    pub(crate) authority: String,
    /// What full members share; `None` for a guest.
    pub(crate) keys: Option<MemberKeys>,
    /// The node's certificate, in PEM.
    pub(crate) certificate: String,
    /// The cluster.
    pub(crate) cluster: ClusterRecord,
    /// The node as the cluster knows it now.
    pub(crate) member: MemberRecord,
    /// Members to speak to, at most [`MAX_INTRODUCED`] of them; of the others the control group will tell.
    pub(crate) members: Vec<MemberRecord>,
}

impl fmt::Debug for JoinGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinGrant")
            .field("cluster", &self.cluster.id)
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}

/// "No, because." Nothing was changed at either side. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum JoinRefusal {
    /// What the cluster's members and tokens say.
    #[error("{0}")]
    Control(ControlRefusal),
    /// The clocks are too far apart.
    #[error(
        "the clocks are {} apart: the machine that joins has {}, the cluster has {}; set the clock (for example with `timedatectl set-ntp true`) and try again",
        in_words(.theirs.since(*.ours).max(.ours.since(*.theirs))), moment(*.theirs), moment(*.ours)
    )]
    Clock {
        /// Of the machine that joins.
        theirs: Timestamp,
        /// Of the member that was asked.
        ours: Timestamp,
    },
    /// Another form of this exchange.
    #[error(
        "the machine that joins speaks version {theirs} of joining, the cluster speaks version {ours}: use the same release on both"
    )]
    Protocol {
        /// Of the machine that joins.
        theirs: u16,
        /// Of the member that was asked.
        ours: u16,
    },
    /// The request is not what it should be.
    #[error("the request to join is not acceptable: {0}")]
    BadRequest(String),
    /// The member that was asked cannot admit anybody.
    #[error("this member cannot admit others: {0}")]
    CannotAdmit(String),
    /// The cluster cannot decide now.
    #[error("the cluster cannot take in a member at the moment: {0}; try again in a while")]
    NotNow(String),
}

impl JoinRefusal {
    /// Whether another member, or a later attempt, may answer differently.
    pub(crate) const fn may_pass(&self) -> bool {
        match self {
            Self::CannotAdmit(_) | Self::NotNow(_) => true,
            Self::Control(_) | Self::Clock { .. } | Self::Protocol { .. } | Self::BadRequest(_) => false,
        }
    }
}

/// What a request is answered.
pub(crate) type JoinAnswer = Result<JoinGrant, JoinRefusal>;

/// A request in bytes.
pub(crate) fn encode_request(request: &JoinRequest) -> Result<Vec<u8>, CodecError> {
    codec::encode(request)
}

/// A request from bytes of an unknown sender. The version is looked at before the rest, whose form depends on it.
pub(crate) fn decode_request(bytes: &[u8]) -> Result<JoinRequest, JoinRefusal> {
    let wrong = |error: CodecError| JoinRefusal::BadRequest(error.to_string());
    // The codec's version byte stands before the first field.
    let protocol = bytes.get(1..).and_then(|body| postcard::take_from_bytes::<u16>(body).ok());
    match protocol {
        Some((theirs, _)) if theirs != PROTOCOL => Err(JoinRefusal::Protocol { theirs, ours: PROTOCOL }),
        Some(_) | None => codec::decode(bytes).map_err(wrong),
    }
}

/// An answer in bytes.
pub(crate) fn encode_answer(answer: &JoinAnswer) -> Result<Vec<u8>, CodecError> {
    codec::encode(answer)
}

/// An answer from bytes.
pub(crate) fn decode_answer(bytes: &[u8]) -> Result<JoinAnswer, CodecError> {
    codec::decode(bytes)
}

/// A moment as people write it, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    i64::try_from(at.as_millis()).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok()).map_or_else(
        || format!("{} ms after 1970", at.as_millis()),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// A duration as people say it.
pub(crate) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        172_800.. => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
#[path = "join_wire_tests.rs"]
mod tests;
