//! The gateway's section of the configuration.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The section `gateway`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// The address that REST and WebSocket listen on.
    pub bind: IpAddr,
    /// The port of REST and the OpenAI-compatible API; 0 takes a free one.
    pub rest_port: u16,
    /// The port of the WebSocket; 0 takes a free one.
    pub ws_port: u16,
    /// The port of metrics and health in plain HTTP, always on the loopback address; 0 takes a free one.
    pub metrics_port: u16,
    /// Added to every port that is not 0, so that several nodes fit on one machine.
    pub port_offset: u16,
    /// Whether REST and WebSocket speak TLS.
    pub tls: TlsMode,
    /// The bounds.
    pub limits: Limits,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            rest_port: 47200,
            ws_port: 47202,
            metrics_port: 9090,
            port_offset: 0,
            tls: TlsMode::On,
            limits: Limits::default(),
        }
    }
}

/// Whether connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "TlsText")]
pub enum TlsMode {
    /// They are.
    #[default]
    On,
    /// They are not; for a reverse proxy on the same machine, and refused on any address but loopback.
    Off,
}

/// What people write: `on` and `off` are words in one version of YAML and truth values in another.
#[derive(Deserialize)]
#[serde(untagged)]
enum TlsText {
    Flag(bool),
    Word(String),
}

impl TryFrom<TlsText> for TlsMode {
    type Error = String;

    fn try_from(text: TlsText) -> Result<Self, String> {
        match text {
            TlsText::Flag(true) => Ok(Self::On),
            TlsText::Flag(false) => Ok(Self::Off),
            TlsText::Word(word) => match word.as_str() {
                "on" | "true" => Ok(Self::On),
                "off" | "false" => Ok(Self::Off),
                other => Err(format!("tls is '{other}', expected on or off")),
            },
        }
    }
}

/// The gateway's bounds. Each exists so that no client, and no number of clients, can take the node down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections a port; for a further one the quietest is closed, or the new one when none is quiet. Fewer where
    /// the system does not let the node open as many files.
    pub connections: usize,
    /// Open connections of one address a port, treated alike; the loopback address may have all.
    pub connections_per_address: usize,
    /// Requests in progress, waiting ones included; further ones are answered with 429.
    pub requests: usize,
    /// MiB that the bodies of all requests in progress may have together; further ones are answered with 429.
    pub body_mebibytes: usize,
    /// Open event streams and WebSockets; further ones are answered with 429.
    pub streams: usize,
    /// Seconds a client may take for the head of a request, and until its first request has come.
    pub header_seconds: u64,
    /// Seconds without a request in progress after which a connection is closed.
    pub keep_alive_seconds: u64,
    /// Seconds an OpenAI-compatible completion may take.
    pub completion_seconds: u64,
    /// Watches of one WebSocket.
    pub watches: usize,
    /// Messages that wait for one WebSocket client to read them.
    pub outbound_messages: usize,
    /// Seconds a WebSocket client may leave its messages unread before it is closed with 1013.
    pub stall_seconds: u64,
    /// Seconds of silence after which a WebSocket is closed; a ping is sent after a third of them.
    pub idle_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            connections_per_address: 256,
            requests: 4096,
            body_mebibytes: 256,
            streams: 2048,
            header_seconds: 10,
            keep_alive_seconds: 120,
            completion_seconds: 300,
            watches: 64,
            outbound_messages: 256,
            stall_seconds: 15,
            idle_seconds: 90,
        }
    }
}

impl Limits {
    /// The longest a client may ask to wait for a task.
    pub const MAX_WAIT: Duration = Duration::from_secs(60);
    /// The longest a request other than a completion may take: a full wait, and time to read a large body before it.
    pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
    /// The largest message a WebSocket client may send, in bytes.
    pub const WS_MESSAGE_BYTES: usize = 512 * 1024;
}

/// The section does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Plain text on an address that others reach.
    #[error(
        "gateway.tls is off, which is allowed only on a loopback address, and gateway.bind is {0}: set gateway.bind to \
         127.0.0.1 and put a reverse proxy in front, or set gateway.tls to on"
    )]
    PlainOnNetwork(IpAddr),
    /// A port beyond the last.
    #[error("{field} {port} plus the port offset {offset} is over 65535: choose a smaller --port-offset")]
    PortRange {
        /// Which setting.
        field: &'static str,
        /// Its value.
        port: u16,
        /// What is added.
        offset: u16,
    },
    /// A bound of nothing.
    #[error("gateway.limits.{0} is 0: nothing would be served; leave it out for the default")]
    ZeroLimit(&'static str),
}

impl GatewayConfig {
    /// Checks that the settings fit together.
    ///
    /// # Errors
    /// [`ConfigError`] for the first that does not.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.tls == TlsMode::Off && !self.bind.is_loopback() {
            return Err(ConfigError::PlainOnNetwork(self.bind));
        }
        for (field, port) in [
            ("gateway.rest_port", self.rest_port),
            ("gateway.ws_port", self.ws_port),
            ("gateway.metrics_port", self.metrics_port),
        ] {
            if port.checked_add(self.port_offset).is_none() {
                return Err(ConfigError::PortRange { field, port, offset: self.port_offset });
            }
        }
        let limits = &self.limits;
        let zero = [
            ("connections", limits.connections == 0),
            ("connections_per_address", limits.connections_per_address == 0),
            ("requests", limits.requests == 0),
            ("body_mebibytes", limits.body_mebibytes == 0),
            ("streams", limits.streams == 0),
            ("header_seconds", limits.header_seconds == 0),
            ("keep_alive_seconds", limits.keep_alive_seconds == 0),
            ("completion_seconds", limits.completion_seconds == 0),
            ("watches", limits.watches == 0),
            ("outbound_messages", limits.outbound_messages == 0),
            ("stall_seconds", limits.stall_seconds == 0),
            ("idle_seconds", limits.idle_seconds == 0),
        ];
        zero.into_iter().find(|(_, is_zero)| *is_zero).map_or(Ok(()), |(name, _)| Err(ConfigError::ZeroLimit(name)))
    }

    /// A port with the offset added; 0 stays 0.
    pub(crate) const fn shifted(&self, port: u16) -> u16 {
        if port == 0 { 0 } else { port.saturating_add(self.port_offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, GatewayConfig, TlsMode};

    #[test]
    fn on_and_off_are_read_as_words_and_as_truth_values() {
        for (text, mode) in
            [("\"off\"", TlsMode::Off), ("false", TlsMode::Off), ("\"on\"", TlsMode::On), ("true", TlsMode::On)]
        {
            assert_eq!(serde_json::from_str::<TlsMode>(text).unwrap(), mode, "{text}");
        }
        assert!(serde_json::from_str::<TlsMode>("\"maybe\"").is_err());
    }

    #[test]
    fn unknown_keys_zero_bounds_and_ports_beyond_the_last_are_refused() {
        assert!(serde_json::from_str::<GatewayConfig>("{\"rest_prot\": 1}").is_err());
        let mut config = GatewayConfig::default();
        config.check().unwrap();
        config.port_offset = 20_000;
        assert!(matches!(config.check(), Err(ConfigError::PortRange { field: "gateway.rest_port", .. })));
        config.port_offset = 100;
        assert_eq!(config.shifted(47200), 47300);
        assert_eq!(config.shifted(0), 0);
        config.limits.watches = 0;
        assert_eq!(config.check(), Err(ConfigError::ZeroLimit("watches")));
    }
}
