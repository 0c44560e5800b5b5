//! Says who somebody is and what they may do, signs messages, and keeps out what must not come in and in what must not go out.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;

#[cfg(feature = "realization")]
pub use adaptation::SecurityHandle;
#[cfg(feature = "realization")]
pub use capability::{SecurityCapability, SecurityRunning};
pub use contract::{CONTRACT, SecurityConfig};
#[cfg(feature = "realization")]
pub use contract::{SecurityNeeds, SecurityProvides};
