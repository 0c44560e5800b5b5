//! The bounds of what the control group keeps. Every node holds all of it in memory and every snapshot carries it.

use std::time::Duration;

/// How many members a cluster has at most: each is known to every other, and gossip has been tried with hundreds.
pub const MAX_MEMBERS: usize = 1_024;

/// How many ids a cluster remembers, members and those that have left together: a node a day for a century, in 2 MB.
pub const MAX_NODES: usize = 65_536;

/// How many join tokens are remembered at once: an operator makes a handful, a script gone wrong is stopped here.
pub const MAX_TOKENS: usize = 1_024;

/// How many changes of the members are remembered, with whoever asked for them: what an operator looks back on, in some 30 KB.
pub const MAX_HISTORY: usize = 256;

/// How many tokens of the interfaces are remembered at once, those that were revoked included: one for each member, and as many that
/// people have made for themselves and their programs.
pub const MAX_API_TOKENS: usize = 2 * MAX_MEMBERS;

/// How many tokens of one node's own are remembered at once. It makes another when the key is replaced or somebody has revoked it.
pub(crate) const MAX_OWN_API_TOKENS: usize = 8;

/// How many shared secrets there are at most.
pub const MAX_SECRETS: usize = 1_024;

/// How many shared keys of a kind there are at once: the one that signs, one that is offered, and those of fourteen rotations that still verify.
pub const MAX_KEYS: usize = 16;

/// After this time an offered key signs although a member has not said that it has it: that one is down, and asks for it before
/// it verifies anything when it is back.
pub const KEY_OFFER_LIMIT: Duration = Duration::from_secs(2 * 60);

/// For how long a replaced key still verifies messages: the longest time to live, and an hour for clocks and elections.
pub(crate) const MESSAGE_KEY_KEPT: Duration = Duration::from_secs((7 * 24 + 1) * 60 * 60);

/// For how long tokens of a replaced key still count: a day, in which programs are given others.
pub(crate) const TOKEN_KEY_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The same when whoever stole a member could sign tokens with the key.
pub const TOKEN_KEY_KEPT_AFTER_THEFT: Duration = Duration::from_secs(5 * 60);

/// How many authorities are trusted at once: the one that signs, one that is offered, and two before them. Every handshake carries their
/// certificates.
pub const MAX_AUTHORITIES: usize = 4;

/// For how long a replaced authority is still trusted: a week, in which clients outside the cluster get the certificate of the new one.
pub(crate) const AUTHORITY_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The same when whoever stole a member can sign certificates in its name: nodes have certificates of the new one within seconds.
pub const AUTHORITY_KEPT_AFTER_THEFT: Duration = Duration::from_secs(5 * 60);

/// The longest certificate of an authority, in bytes: one with a key on P-256 has about five hundred.
pub const MAX_CERTIFICATE_BYTES: usize = 4 * 1024;

/// The longest sealed secret, in bytes: private keys and service account files fit.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;

/// The longest name of a member, a zone or a secret, in bytes: as long as a host name may be.
pub const MAX_NAME_BYTES: usize = 253;

/// How many addresses a member may report: a machine with both protocols on a handful of networks.
pub const MAX_ADDRESSES: usize = 32;

/// The longest life of a join token: one that was forgotten somewhere ends within a month.
pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a join token is remembered after it has expired, so that a late node is told why it is refused.
pub const TOKEN_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);
