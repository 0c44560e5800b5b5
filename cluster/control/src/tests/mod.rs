//! The control machine's rules, one by one, and its invariants under any sequence of commands.

mod anew;
mod api_tokens;
mod asked;
mod authorities;
mod authority;
mod keys;
mod model;
mod rules;
mod support;
