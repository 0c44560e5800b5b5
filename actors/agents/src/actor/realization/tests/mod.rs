//! Agents on a ledger in memory: the control plane while a model hangs, resumption, budgets, sleep, the fence, and a log that
//! fails.

mod control;
mod fakes;
mod ledger;
mod runs;
mod store_failures;
mod world;
