//! The node's configuration: built-in defaults, then a profile, then `config.yaml`, then the environment, merged into one
//! tree that remembers where every value came from.
//!
//! Everything but [`load`] is pure: text goes in, settings or findings come out. The crate does not know what a section
//! means; whoever owns a section decodes it with [`Settings::section`].

mod default_yaml;
mod environment;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod load;
mod origin;
mod profile;
mod settings;
mod suggest;
mod tree;

pub use default_yaml::default_config_yaml;
pub use environment::{ENV_PREFIX, environment_layer};
pub use load::{LoadOptions, MAX_FILE_BYTES, load};
pub use origin::Origin;
pub use profile::{ParseProfileError, Profile};
pub use settings::{Layer, Settings};
pub use suggest::closest;
pub use tree::{Node, NodeKind, parse_yaml};
