//! The rules of the secret store: its document, what encryption is bound to, and how a rotation goes.

mod document;

pub use document::{
    CHECK_TEXT, FORMAT_VERSION, MAX_SECRET_BYTES, SealedSecret, StoreDocument, check_size, sealed_context,
};
