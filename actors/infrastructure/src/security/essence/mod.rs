//! The rules of security: claims, injection scan, output guardrail, and how often a failure is worth a record.

mod claims;
mod guardrail;
mod injection;
mod limiter;

pub use claims::{TokenClaims, party_of_user};
pub use guardrail::Guardrail;
pub use injection::{Scanner, Verdict};
pub use limiter::Limiter;
