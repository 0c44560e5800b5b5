//! The section `agent_factory` of the configuration.

use serde::Deserialize;

/// The factory has nothing to configure; its limits are part of the format of an agent's directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentFactoryConfig {}
