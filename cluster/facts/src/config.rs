use std::time::Duration;

/// How facts spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactsConfig {
    /// How often a node tells some of its peers everything again. New facts are told to all at once, so this bounds how long a
    /// lost message is missed: every peer has its turn within a dozen rounds.
    pub gossip_every: Duration,
    /// How long the facts of a node are kept that is no longer heard of.
    pub dead_grace: Duration,
}

impl Default for FactsConfig {
    fn default() -> Self {
        Self { gossip_every: Duration::from_secs(5), dead_grace: Duration::from_secs(15 * 60) }
    }
}
