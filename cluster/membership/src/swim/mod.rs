//! The protocol as a pure state machine: what comes in and the time are arguments, what is to be done comes out.

mod codec;
mod core;
mod effects;
mod exchange;
mod identity;
mod inputs;
mod output;
mod settings;
mod sync;
mod table;
mod words;

pub use self::core::Swim;
pub use error::SwimError;
pub use identity::Identity;
pub use output::{Output, SwimTimer};
pub use settings::{Settings, SettingsError};
pub use table::{Entry, MemberChange};

mod error;
