//! A message's payload: a JSON object, kept as text so that it is signed, stored and forwarded byte for byte.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The largest payload of a message, in bytes. Anything larger is a blob that the payload names.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// A JSON object as text. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(Arc<str>);

/// The text cannot be a payload.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Too large.
    #[error("the payload has {actual} bytes, the limit is {MAX_PAYLOAD_BYTES}: send documents as blobs and name them")]
    TooLarge {
        /// Its size.
        actual: usize,
    },
    /// Not a JSON object.
    #[error("the payload is not a JSON object")]
    NotAnObject(#[source] serde_json::Error),
}

impl Payload {
    /// A payload from an object.
    ///
    /// # Errors
    /// [`PayloadError::TooLarge`] when its text is over [`MAX_PAYLOAD_BYTES`].
    pub fn from_object(object: &Map<String, Value>) -> Result<Self, PayloadError> {
        let text = serde_json::to_string(object).map_err(PayloadError::NotAnObject)?;
        if text.len() > MAX_PAYLOAD_BYTES {
            return Err(PayloadError::TooLarge { actual: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// A payload from the JSON of any value that serializes to an object.
    ///
    /// # Errors
    /// Both variants of [`PayloadError`].
    pub fn from_value<T: Serialize>(value: &T) -> Result<Self, PayloadError> {
        match serde_json::to_value(value).map_err(PayloadError::NotAnObject)? {
            Value::Object(object) => Self::from_object(&object),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(PayloadError::NotAnObject(serde::de::Error::custom(format!("{other} is not an object"))))
            }
        }
    }

    /// Its JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads it as `T`.
    ///
    /// # Errors
    /// When the object does not have the shape of `T`.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl std::fmt::Debug for Payload {
    /// Shows the size only: payloads are user data and do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}
