//! The commands, one file each.

pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod cluster;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod install;
mod own_secrets;
pub(crate) mod provider;
pub(crate) mod restore;
pub(crate) mod secret;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod task;
pub(crate) mod token;
