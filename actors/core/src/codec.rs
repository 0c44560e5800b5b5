//! The one place that decides how values look on disk and on the wire: a version byte, then postcard.

use serde::{Serialize, de::DeserializeOwned};

/// The version this build writes. Older ones stay readable; newer ones are refused with a clear error.
pub const VERSION: u8 = 1;

/// What most values fit into, so that encoding one rarely has to move what is encoded already.
const CAPACITY: usize = 256;

/// The bytes are not what this build can read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// There is nothing to decode.
    #[error("the record is empty")]
    Empty,
    /// A newer build wrote this.
    #[error("the record has format version {found}, this build reads up to {VERSION}: upgrade this node")]
    NewerVersion {
        /// The version byte that was found.
        found: u8,
    },
    /// The bytes do not decode.
    #[error("the record does not decode")]
    Malformed(#[source] postcard::Error),
}

/// Encodes `value` behind the version byte.
///
/// # Errors
/// [`CodecError::Malformed`] when `value` holds something postcard cannot write (a sequence of unknown length).
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(CAPACITY);
    bytes.push(VERSION);
    postcard::to_extend(value, bytes).map_err(CodecError::Malformed)
}

/// Encodes `value` as [`encode`] does, behind a byte that says what it is.
///
/// # Errors
/// As for [`encode`].
pub fn encode_behind<T: Serialize + ?Sized>(first: u8, value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(CAPACITY);
    bytes.extend([first, VERSION]);
    postcard::to_extend(value, bytes).map_err(CodecError::Malformed)
}

/// How many bytes [`encode`] would write for `value`, without writing them.
///
/// # Errors
/// As for [`encode`].
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> Result<usize, CodecError> {
    postcard::experimental::serialized_size(value).map(|body| body + 1).map_err(CodecError::Malformed)
}

/// Decodes what [`encode`] wrote.
///
/// # Errors
/// Every variant of [`CodecError`]; nothing is consumed.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        None => Err(CodecError::Empty),
        Some((&version, _)) if version > VERSION => Err(CodecError::NewerVersion { found: version }),
        Some((_, body)) => postcard::from_bytes(body).map_err(CodecError::Malformed),
    }
}

/// Decodes what [`encode`] wrote for a `T`, or for a pair of a `T` and an `M` that newer builds put behind it. Builds that know
/// the `T` alone read such a pair, too: [`decode`] leaves what follows a value unread.
///
/// # Errors
/// Every variant of [`CodecError`], also when what follows the `T` is cut off.
pub fn decode_with_more<T: DeserializeOwned, M: DeserializeOwned>(bytes: &[u8]) -> Result<(T, Option<M>), CodecError> {
    match bytes.split_first() {
        None => Err(CodecError::Empty),
        Some((&version, _)) if version > VERSION => Err(CodecError::NewerVersion { found: version }),
        Some((_, body)) => {
            let (value, rest) = postcard::take_from_bytes(body).map_err(CodecError::Malformed)?;
            let more = (!rest.is_empty()).then(|| postcard::from_bytes(rest).map_err(CodecError::Malformed));
            Ok((value, more.transpose()?))
        }
    }
}

#[cfg(test)]
mod tests;
