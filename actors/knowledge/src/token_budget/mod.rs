//! Watches over what agents spend: an agent stops as soon as the limit of any period is reached.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;

#[cfg(feature = "realization")]
pub use adaptation::TokenBudgetHandle;
#[cfg(feature = "realization")]
pub use capability::{TokenBudgetCapability, TokenBudgetRunning};
pub use contract::{CONTRACT, TokenBudgetConfig};
#[cfg(feature = "realization")]
pub use contract::{TokenBudgetNeeds, TokenBudgetProvides};
