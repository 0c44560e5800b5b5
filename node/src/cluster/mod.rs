//! How a machine becomes a member of a cluster, and what a member keeps doing for the cluster it belongs to.

mod acquaintances;
mod addresses;
mod admit;
mod admit_check;
mod api_tokens;
mod authority_sync;
mod blob_upkeep;
mod certificate_names;
mod control_group;
mod digests;
#[cfg(test)]
mod fuzz;
mod guest_renewal;
mod history;
mod home;
mod join_defaults;
mod join_wire;
mod joining;
mod keys_sync;
mod lan;
mod lives;
mod machine;
mod node_facts;
mod peer_book;
mod port;
mod ports;
mod removal;
mod renewal;
mod report;
mod seal;
mod secrets_merge;
mod secrets_sync;
mod seek;
mod sole_start;
mod token;
mod tokens;
mod views;
mod warnings;

pub(crate) use acquaintances::Acquaintances;
pub(crate) use addresses::{local_addresses, reachable_at};
pub(crate) use admit::Admission;
pub(crate) use admit_check::{NAME_RULE, is_name};
pub(crate) use api_tokens::ApiTokens;
pub(crate) use blob_upkeep::BlobUpkeep;
pub(crate) use control_group::ControlGroup;
pub(crate) use home::{ClusterHome, Membership as ClusterMembership};
pub(crate) use join_defaults::{default_capacity, default_name};
pub(crate) use joining::{Door, JoinFailure, Joined, Wish, join, resume};
pub(crate) use keys_sync::KeysSync;
pub(crate) use lan::{Announcement, LOOK_FOR, LanError, Sought, find as find_on_lan};
pub(crate) use lives::HomeLives;
pub(crate) use machine::{cpus, memory_mib};
pub(crate) use node_facts::Gatherer;
pub(crate) use peer_book::PeerBook;
pub(crate) use port::{Cluster, ClusterParts};
pub(crate) use ports::{
    Wanted, choose as choose_ports, first_free as first_free_port, is_free as port_is_free, wait_until_free,
};
pub(crate) use removal::Removal;
pub(crate) use renewal::Renewer;
pub(crate) use report::Reporter;
pub(crate) use seal::DataKey;
pub(crate) use secrets_sync::SecretsSync;
pub(crate) use seek::{Seed, Seeker};
pub(crate) use sole_start::SoleStart;
#[cfg(test)]
pub(crate) use token::JoinSecret;
pub(crate) use token::{JoinToken, TokenError, from_hex, hex};

/// How soon this node's copy of the control state shows what its leader has committed, in good times.
const COPY_CATCHES_UP: std::time::Duration = std::time::Duration::from_millis(300);
