//! The control group's state machine: members, the replica table, join tokens, shared secrets, tokens of the interfaces. Pure: time and random values
//! come inside the commands.
//!
//! Every node of the cluster holds a copy, as a voter or a learner of group 0; a node that is asked about members or about
//! the place of a shard looks into its own.

mod anew;
mod api_tokens;
mod apply;
mod asked;
mod authority;
mod check;
mod command;
mod keys;
mod limits;
mod membership;
mod queries;
mod refusal;
mod secrets;
mod state;
mod table;
mod tokens;

#[cfg(test)]
mod tests;

pub use api_tokens::{ApiToken, ApiTokenId};
pub use asked::{AskedBy, MemberChange, MemberEvent};
pub use authority::Who;
pub use command::{ControlApplied, ControlCommand};
pub use keys::{KeyTag, SharedKey, SharedKeyPhase, kept_for};
pub use limits::{
    AUTHORITY_KEPT_AFTER_THEFT, KEY_OFFER_LIMIT, MAX_ADDRESSES, MAX_API_TOKENS, MAX_AUTHORITIES, MAX_CERTIFICATE_BYTES,
    MAX_HISTORY, MAX_KEYS, MAX_MEMBERS, MAX_NAME_BYTES, MAX_NODES, MAX_SECRET_BYTES, MAX_SECRETS, MAX_TOKEN_LIFETIME,
    MAX_TOKENS, TOKEN_KEY_KEPT_AFTER_THEFT, TOKEN_MEMORY,
};
pub use refusal::ControlRefusal;
pub use state::{
    ClusterRecord, ControlState, Fault, JoinToken, MemberRecord, MembershipStamp, ReplicaSet, SealedSecret, ShardPlace,
    TokenId, TokenMaker, VersionRange,
};
