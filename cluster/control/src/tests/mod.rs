//! The control machine's rules, one by one, and its invariants under any sequence of commands.

mod anew;
mod authorities;
mod authority;
mod keys;
mod model;
mod rules;
mod support;
