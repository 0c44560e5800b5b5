//! `credentials.json`: where the node answers, whose certificates to trust, and the token.

use super::ClientError;
use crate::home::Home;
use crate::process::NodeFile;
use serde::{Deserialize, Serialize};

/// The port of REST before any offset.
const REST_PORT: u16 = 47_200;

/// What the command line needs to speak to a node.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// Where REST answers, such as `https://127.0.0.1:47200`.
    pub(crate) url: String,
    /// Where the WebSocket answers.
    #[serde(default)]
    pub(crate) ws_url: String,
    /// The certificate of the node's authority: PEM, or the path of a PEM file (relative to the home).
    pub(crate) ca: String,
    /// The id of the node, which follows from its key: the token is sent to whoever proves that key and to nobody else. Without it, as
    /// in a file that somebody wrote for a proxy, the host's name and the authority have to do.
    #[serde(default)]
    pub(crate) node: Option<String>,
    /// The bearer token.
    pub(crate) token: String,
}

impl Credentials {
    /// Reads the credentials of the node in `home`. Where it answers is taken from the running node itself when there is one;
    /// otherwise an explicit port offset moves the port.
    pub(crate) fn load(home: &Home, port_offset: Option<u16>) -> Result<Self, ClientError> {
        let path = home.credentials();
        let bad = |reason: String| ClientError::BadCredentials { path: path.clone(), reason };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ClientError::NoCredentials(path)),
            Err(error) => return Err(bad(error.to_string())),
        };
        let mut credentials: Self = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if !credentials.ca.contains("-----BEGIN") {
            let file = home.path().join(&credentials.ca);
            credentials.ca =
                std::fs::read_to_string(&file).map_err(|error| bad(format!("{}: {error}", file.display())))?;
        }
        if let Some(url) = NodeFile::of_running(home).and_then(|node| node.url) {
            credentials.url = url;
        } else if let Some(offset) = port_offset {
            credentials.url = with_port(&credentials.url, REST_PORT.saturating_add(offset));
        }
        credentials.url.truncate(credentials.url.trim_end_matches('/').len());
        Ok(credentials)
    }
}

/// `url` with another port.
fn with_port(url: &str, port: u16) -> String {
    reqwest::Url::parse(url).map_or_else(
        |_| url.to_owned(),
        |mut url| {
            let _ = url.set_port(Some(port));
            url.to_string()
        },
    )
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(credentials: &str) -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(directory.path().to_owned())).unwrap();
        std::fs::write(home.credentials(), credentials).unwrap();
        (directory, home)
    }

    #[test]
    fn an_offset_moves_the_port() {
        let (_keep, home) = home(
            r#"{"url":"https://127.0.0.1:47200","ws_url":"wss://127.0.0.1:47202/ws","ca":"-----BEGIN CERTIFICATE-----","token":"t"}"#,
        );
        assert_eq!(Credentials::load(&home, None).unwrap().url, "https://127.0.0.1:47200");
        assert_eq!(Credentials::load(&home, Some(10)).unwrap().url, "https://127.0.0.1:47210");
    }

    #[test]
    fn the_authority_may_be_a_path_below_the_home() {
        let (_keep, home) = home(r#"{"url":"https://127.0.0.1:1","ca":"ca.pem","token":"t"}"#);
        let error = Credentials::load(&home, None).unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
        std::fs::write(home.path().join("ca.pem"), "PEM").unwrap();
        assert_eq!(Credentials::load(&home, None).unwrap().ca, "PEM");
    }

    #[test]
    fn missing_and_broken_credentials_are_told_apart() {
        let (_keep, home) = home("{");
        assert!(matches!(Credentials::load(&home, None), Err(ClientError::BadCredentials { .. })));
        std::fs::remove_file(home.credentials()).unwrap();
        assert!(matches!(Credentials::load(&home, None), Err(ClientError::NoCredentials(_))));
    }

    #[test]
    fn the_token_is_not_shown_by_debug() {
        let (_keep, home) = home(r#"{"url":"u","ca":"-----BEGIN","token":"very-secret"}"#);
        assert!(!format!("{:?}", Credentials::load(&home, None).unwrap()).contains("very-secret"));
    }
}
