//! The HTTP client of a provider, made when it is first needed.

use octopussy_core::ports::LlmError;
use parking_lot::Mutex;
use std::time::Duration;

/// The longest a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Makes the client on first use, because a machine without root certificates cannot make one for TLS and must start all the same.
/// A failure is not kept: certificates can be put in place while the node runs.
#[derive(Debug, Default)]
pub(super) struct LazyClient(Mutex<Option<reqwest::Client>>);

impl LazyClient {
    pub(super) fn get(&self, provider: &str, url: &str) -> Result<reqwest::Client, LlmError> {
        let mut client = self.0.lock();
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        // The node installs the process-wide TLS provider; a second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("octopussy/", env!("CARGO_PKG_VERSION")));
        if url.starts_with("http://") {
            builder = builder.tls_certs_only([]);
        }
        let made = builder.build().map_err(|error| LlmError::Unavailable {
            provider: provider.to_owned(),
            detail: format!("no TLS client could be made ({error}): are the root certificates installed?"),
        })?;
        *client = Some(made.clone());
        Ok(made)
    }
}
