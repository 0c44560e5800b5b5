//! Keys and tokens.

mod jwt_provider;
mod keys;
mod tokens;

pub(crate) use keys::{load_keyring, load_keys};
pub(crate) use tokens::{TokenAuthority, TokenKey};
