//! Tests over the real binary, as its user meets it: processes, ports, files, signals.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod audit;
mod backup;
mod bad_input;
mod bad_start;
mod changes;
mod command_line;
mod control;
mod crash;
mod dead_letters;
mod disk_full;
mod doors;
mod history;
mod idempotency;
mod lost_log;
mod openai;
mod secrets;
mod start_stop;
mod streaming;
