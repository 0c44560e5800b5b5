//! The commented file that `install` writes.

use crate::Profile;

/// The text of a fresh `config.yaml`: the profile, and everything else as comments that show what may be changed.
#[must_use]
pub fn default_config_yaml(profile: Profile) -> String {
    format!("profile: {profile}\n{BODY}").replacen("profile:", &format!("{HEAD}profile:"), 1)
}

const HEAD: &str = "\
# The configuration of this Octopussy node.
#
# Order of precedence, later wins: the profile's shipped values, this file, the environment
# (OCTOPUSSY__SECTION__KEY=value). A running node takes over most
# changes by itself and keeps the old values when a change does not validate.

# SBC (single-board computer), LOCAL (your own machine), DOCKER or KUBERNETES: sizes and addresses, never agents.
";

const BODY: &str = "
# Where the interfaces listen. 127.0.0.1 is this machine alone, 0.0.0.0 every network.
# gateway:
#   bind: 127.0.0.1

# The store. redb survives power cuts; sled does not promise to.
# store:
#   engine: redb
#   cache_mb: 32

# What is logged, and where traces go.
# observability:
#   log:
#     level: info          # error, warn, info, debug, trace, or a filter such as info,octopussy_agents=debug
#     format: pretty       # pretty, compact or json
#   otlp:
#     endpoint: http://127.0.0.1:4318   # absent: no traces leave this node

# Models. A key is never written here: `octopussy secret set openai.api_key`, then
# api_key: ${secret:openai.api_key}
# llm_router:
";
