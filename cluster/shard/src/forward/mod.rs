//! The ledger of the cluster from any node: what another node leads is forwarded to it.

pub(crate) mod digests;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hints;
mod led;
mod ledger;
mod listing;
mod local;
mod patience;
mod remote;
mod serve;
mod wire;
mod word;

pub(crate) use hints::Hints;
pub(crate) use led::Led;
pub(crate) use ledger::ClusterLedger;
pub(crate) use remote::{ask_standing, propose_control};
pub(crate) use serve::{ControlLane, ForwardLane};
pub(crate) use word::ask_word;
