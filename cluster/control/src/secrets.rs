//! Shared secrets, sealed.

use crate::limits::{MAX_NAME_BYTES, MAX_SECRET_BYTES, MAX_SECRETS};
use crate::{ControlApplied, ControlRefusal, ControlState, SealedSecret};
use octopussy_core::time::Timestamp;

impl ControlState {
    pub(crate) fn put_secret(&mut self, name: String, secret: SealedSecret) -> Result<ControlApplied, ControlRefusal> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(ControlRefusal::BadSecret(format!("its name has 1 to {MAX_NAME_BYTES} bytes")));
        }
        if secret.sealed.len() > MAX_SECRET_BYTES {
            return Err(ControlRefusal::BadSecret(format!("it has at most {MAX_SECRET_BYTES} bytes, sealed")));
        }
        if !self.secrets.contains_key(&name) && self.secrets.len() >= MAX_SECRETS {
            return Err(ControlRefusal::TooMany { what: "secrets".to_owned(), limit: MAX_SECRETS });
        }
        self.pass(secret.set_at);
        self.secrets.insert(name, secret);
        Ok(ControlApplied::Done)
    }

    pub(crate) fn remove_secret(&mut self, name: &str, now: Timestamp) -> Result<ControlApplied, ControlRefusal> {
        if self.secrets.remove(name).is_none() {
            return Err(ControlRefusal::UnknownSecret(name.to_owned()));
        }
        self.pass(now);
        Ok(ControlApplied::Done)
    }
}
