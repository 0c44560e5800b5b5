//! The agents layer: the agent actor \[16\], its lifecycle manager \[17\] and the factory that makes agents \[18\].
//!
//! Contracts and essence (what an agent does next, which message may pass, what a directory must look like) are pure and
//! build without any feature; the feature `realization` adds the runtime: actors, child tasks, subscriptions.

pub mod actor;
pub mod agent_factory;
pub mod agent_lifecycle;
