//! The bounds of what the control group keeps. Every node holds all of it in memory and every snapshot carries it.

use std::time::Duration;

/// How many members a cluster has at most: each is known to every other, and gossip has been tried with hundreds.
pub const MAX_MEMBERS: usize = 1_024;

/// How many ids a cluster remembers, members and those that have left together: a node a day for a century, in 2 MB.
pub const MAX_NODES: usize = 65_536;

/// How many join tokens are remembered at once: an operator makes a handful, a script gone wrong is stopped here.
pub const MAX_TOKENS: usize = 1_024;

/// How many shared secrets there are at most.
pub const MAX_SECRETS: usize = 1_024;

/// The longest sealed secret, in bytes: private keys and service account files fit.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;

/// The longest name of a member, a zone or a secret, in bytes: as long as a host name may be.
pub const MAX_NAME_BYTES: usize = 253;

/// How many addresses a member may report: a machine with both protocols on a handful of networks.
pub const MAX_ADDRESSES: usize = 32;

/// How long a join token is remembered after it has expired, so that a late node is told why it is refused.
pub const TOKEN_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);
