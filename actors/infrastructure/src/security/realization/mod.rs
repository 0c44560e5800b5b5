//! Keys and tokens.

mod jwt_provider;
mod keys;
mod tokens;

pub(crate) use keys::{JWT_KEY, MESSAGE_KEY, SecretKeys, load_key, load_keyring};
pub(crate) use tokens::{TokenAuthority, TokenKey};
