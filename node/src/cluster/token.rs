//! The join token: one string that lets a machine into the cluster.
//!
//! `octo1_` and the base64url (without padding) of: the length of the body (two bytes, big-endian), the body in postcard, the
//! first four bytes of the body's SHA-256. The length and the digest tell a string that was cut off from one that was mistyped.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use octopussy_control::TokenId;
use octopussy_core::plain_text;
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// What every token of this version begins with.
const PREFIX: &str = "octo1_";
/// How many addresses a token carries: a machine has few networks, and a person has to copy the string.
pub(crate) const MAX_ADDRESSES: usize = 8;
/// The longest token: eight IPv6 addresses and the rest make about 360 characters.
const MAX_CHARACTERS: usize = 1_024;
/// The bytes of the digest at the end: a slip is overlooked once in four billion.
const CHECK_BYTES: usize = 4;

/// Thirty-two random bytes that prove that their holder was invited. Never printed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JoinSecret(pub(crate) [u8; 32]);

impl JoinSecret {
    /// What the cluster keeps instead of the secret.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// The name under which the cluster keeps it.
    pub(crate) fn id(&self) -> TokenId {
        hex(&self.digest()[..8])
    }
}

impl fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinSecret(…)")
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JoinToken {
    /// Where members' mesh endpoints are, the likeliest first; at most [`MAX_ADDRESSES`].
    pub(crate) addresses: Vec<SocketAddr>,
    /// SHA-256 of the certificate of the cluster's authority: how the machine that joins knows whom it speaks to.
    pub(crate) fingerprint: [u8; 32],
    /// The proof of having been invited.
    pub(crate) secret: JoinSecret,
    /// When it stops being accepted.
    pub(crate) expires_at: Timestamp,
}

impl JoinToken {
    /// The string. Addresses beyond [`MAX_ADDRESSES`] are left out.
    pub(crate) fn encode(&self) -> String {
        let mut body = self.clone();
        body.addresses.truncate(MAX_ADDRESSES);
        // Plain numbers and bytes of known lengths: postcard can write them all.
        let body = postcard::to_stdvec(&body).unwrap_or_default();
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&check(&body));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn check(body: &[u8]) -> [u8; CHECK_BYTES] {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}

/// The 32 bytes that 64 hexadecimal digits stand for; `None` when the text is anything else.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The text is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Something else altogether.
    #[error("this is not a join token: one begins with {PREFIX}, as `octopussy cluster token` prints it")]
    NotAToken,
    /// A newer or older form.
    #[error("the join token has version {0}, this program knows version 1: use the same release on both machines")]
    OtherVersion(String),
    /// A character that none has.
    #[error("the join token has the character {0:?}, which no token has: copy it again")]
    BadCharacter(char),
    /// Its end is missing.
    #[error("the join token is cut off: {have} of {want} bytes are there; copy the whole line")]
    Truncated {
        /// How many bytes it has.
        have: usize,
        /// How many it says it has.
        want: usize,
    },
    /// Something was added.
    #[error("something was added to the join token: copy the token alone")]
    TooLong,
    /// A character was exchanged.
    #[error("the join token is damaged: a character was lost or exchanged on the way; copy it again")]
    Damaged,
    /// There is nobody to ask.
    #[error("the join token names no address: make another one with `octopussy cluster token`")]
    NoAddress,
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = plain_text::without_mark(text).trim();
        let Some(body) = text.strip_prefix(PREFIX) else {
            let version = text.strip_prefix("octo").and_then(|rest| rest.split_once('_'));
            return Err(match version {
                Some((digits, _)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    TokenError::OtherVersion(digits.chars().take(9).collect())
                }
                Some(_) | None => TokenError::NotAToken,
            });
        };
        let foreign = |c: &char| !(c.is_ascii_alphanumeric() || *c == '-' || *c == '_');
        if let Some(character) = body.chars().find(foreign) {
            return Err(TokenError::BadCharacter(character));
        }
        if text.len() > MAX_CHARACTERS {
            return Err(TokenError::TooLong);
        }
        Self::from_bytes(&decode_prefix(body))
    }
}

/// The bytes of base64url; a last character that carries no whole byte, as a cut leaves it, is let go.
fn decode_prefix(body: &str) -> Vec<u8> {
    let whole = if body.len() % 4 == 1 { &body[..body.len() - 1] } else { body };
    let engine = base64::engine::GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
    );
    engine.decode(whole).unwrap_or_default()
}

impl JoinToken {
    fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
            return Err(TokenError::Truncated { have: bytes.len(), want: 2 });
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let want = 2 + length + CHECK_BYTES;
        if bytes.len() < want {
            return Err(TokenError::Truncated { have: bytes.len(), want });
        }
        if bytes.len() > want {
            return Err(TokenError::TooLong);
        }
        let (body, digest) = rest.split_at(length);
        if digest != check(body) {
            return Err(TokenError::Damaged);
        }
        let token: Self = postcard::from_bytes(body).map_err(|_| TokenError::Damaged)?;
        if token.addresses.is_empty() {
            return Err(TokenError::NoAddress);
        }
        if token.addresses.len() > MAX_ADDRESSES {
            return Err(TokenError::Damaged);
        }
        Ok(token)
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
