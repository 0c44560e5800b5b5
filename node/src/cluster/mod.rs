//! How a machine becomes a member of a cluster, and what a member keeps doing for the cluster it belongs to.

mod addresses;
mod admit_check;
mod boot;
mod home;
mod join_wire;
mod seal;
mod secrets_merge;
mod token;
mod views;
mod warnings;

pub(crate) use addresses::{local_addresses, reachable_at};
pub(crate) use join_wire::MAX_CERTIFICATE_NAMES;
pub(crate) use token::hex;
