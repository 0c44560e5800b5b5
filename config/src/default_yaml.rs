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

# Where other nodes are met: one UDP port, encrypted, members only. 0.0.0.0 is every network of this machine.
# mesh:
#   bind: 0.0.0.0
#   port: 47210
#   port_offset: 0
#   advertise: [203.0.113.5:47210]   # behind a router or in a container: where the others reach this node
#   announce: true                    # tell the local network (mDNS), so that `start --join auto` finds this node

# What this node is in its cluster. shards and replication count when a cluster is founded, and never change.
# cluster:
#   name: attic              # absent: the machine's name
#   zone: house              # copies of the same data are kept in different zones
#   capacity: 4              # compared with the other nodes; absent: the number of processors
#   shards: 16
#   replication: 3
#   timings: lan             # lan, fast (one machine or rack), wan (nodes in different places)
#   grace_minutes: 5         # how long a node may be away before others take copies of its data
#   max_recovery_age_hours: 24

# Where the state lies (the log lies in files of its own). redb survives power cuts; sled does not promise to.
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
