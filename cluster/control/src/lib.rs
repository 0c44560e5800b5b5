//! The control group's state machine: members, the replica table, join tokens, shared secrets. Pure: time and random values
//! come inside the commands.
//!
//! Every node of the cluster holds a copy, as a voter or a learner of group 0; a node that is asked about members or about
//! the place of a shard looks into its own.

mod apply;
mod command;
mod state;

pub use command::{ControlApplied, ControlCommand, ControlRefusal};
pub use state::{
    ClusterRecord, ControlState, Fault, JoinToken, MemberRecord, ReplicaSet, SealedSecret, ShardPlace, TokenId,
    VersionRange,
};
