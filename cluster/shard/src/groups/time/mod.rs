//! The time that goes into the groups' logs. Only a group's leader says what time it is, by a clock that no single machine
//! can set: it goes on evenly, follows the members' clocks where they agree, and never leaps because of one that is wrong.

mod agreement;
mod clocks;
mod measuring;
mod stamper;

pub(crate) use clocks::Clocks;
pub use clocks::{ClockReport, MAX_SKEW};
pub(super) use measuring::{full_members, run};
pub(super) use stamper::Stamper;
