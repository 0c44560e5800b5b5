//! The state of groups, with stores on real files.

mod commands;
mod control;
mod crashes;
mod faults;
mod leading;
mod listing;
mod lives;
mod opening;
mod snapshots;
mod support;
mod way;
