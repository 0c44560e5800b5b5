//! Looking for members that do not answer where they were last: all of a network's addresses may have changed at once.

use super::PeerBook;
use super::lan::{self, Sought};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The pause between two looks. The first comes after the addresses that are known have had a chance.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the system may take to resolve a name.
const RESOLVE_WITHIN: Duration = Duration::from_secs(3);
/// How many addresses are tried beside those that a member has told itself.
const MAX_SOUGHT: usize = 8;

/// A place where a member may be found, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seed {
    host: String,
    port: u16,
}

impl Seed {
    /// Reads `HOST`, `HOST:PORT`, an IP address, or one with a port; `None` when it is none of them.
    pub(crate) fn parse(text: &str, default_port: u16) -> Option<Self> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return (address.port() != 0).then(|| Self { host: address.ip().to_string(), port: address.port() });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self { host: address.to_string(), port: default_port });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
            None => (text, default_port),
        };
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        (host.len() <= 253 && host.split('.').all(is_label)).then(|| Self { host: host.to_owned(), port })
    }

    /// Where it is now. Names are resolved each time: what they stand for changes.
    async fn resolve(&self) -> Vec<SocketAddr> {
        let resolved = tokio::time::timeout(RESOLVE_WITHIN, tokio::net::lookup_host((self.host.as_str(), self.port)));
        match resolved.await {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(error)) => {
                tracing::debug!(seed = self.host, %error, "a seed cannot be resolved");
                Vec::new()
            }
            Err(_) => {
                tracing::debug!(seed = self.host, "a seed is not resolved in time");
                Vec::new()
            }
        }
    }
}

/// Where members are looked for.
pub(crate) struct Seeker {
    /// Places that the configuration names.
    pub(crate) seeds: Vec<Seed>,
    /// The cluster whose members are looked for on the local network, when they are.
    pub(crate) on_lan: Option<String>,
    /// Who is missing, and who dials what is found.
    pub(crate) book: Arc<PeerBook>,
}

impl Seeker {
    /// Runs until it is told to stop; ends at once when there is nowhere to look.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        if self.seeds.is_empty() && self.on_lan.is_none() {
            return;
        }
        let rounds = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if self.book.misses_members() {
                    self.book.try_also(&self.look().await);
                }
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = rounds => {}
        }
    }

    async fn look(&self) -> Vec<SocketAddr> {
        let mut found: Vec<SocketAddr> = Vec::new();
        for seed in &self.seeds {
            found.extend(seed.resolve().await);
        }
        if let Some(cluster) = &self.on_lan {
            match lan::find(&Sought::Cluster(cluster.clone()), lan::LOOK_FOR).await {
                Ok(heard) => found.extend(heard),
                Err(error) => tracing::debug!(%error, "members cannot be looked for on the local network"),
            }
        }
        let mut distinct = Vec::new();
        for address in found {
            if distinct.len() < MAX_SOUGHT && !distinct.contains(&address) {
                distinct.push(address);
            }
        }
        distinct
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_addresses_or_names_with_or_without_a_port() {
        let seed = |host: &str, port| Some(Seed { host: host.to_owned(), port });
        assert_eq!(Seed::parse("192.168.1.7", 47_210), seed("192.168.1.7", 47_210));
        assert_eq!(Seed::parse("192.168.1.7:5000", 47_210), seed("192.168.1.7", 5_000));
        assert_eq!(Seed::parse("2001:db8::1", 47_210), seed("2001:db8::1", 47_210));
        assert_eq!(Seed::parse("[2001:db8::1]:5000", 47_210), seed("2001:db8::1", 5_000));
        assert_eq!(Seed::parse("octopussy-0.octopussy-nodes", 47_210), seed("octopussy-0.octopussy-nodes", 47_210));
        assert_eq!(Seed::parse("pi.local:5000", 47_210), seed("pi.local", 5_000));
        for wrong in ["", "a b", "host:", "host:0", "host:70000", "..", "http://host", "192.168.1.7:0"] {
            assert_eq!(Seed::parse(wrong, 47_210), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_seeds_stand_for_is_found_once_each() {
        let seeds =
            ["127.0.0.1:5", "127.0.0.1:5", "127.0.0.1:6"].iter().filter_map(|text| Seed::parse(text, 1)).collect();
        let book = PeerBook::new(
            octopussy_core::ids::NodeId([1; 16]),
            octopussy_mesh::memory::Network::new(1).node(octopussy_core::ids::NodeId([1; 16]), 1),
        );
        let found = Seeker { seeds, on_lan: None, book }.look().await;
        assert_eq!(found, ["127.0.0.1:5".parse().unwrap(), "127.0.0.1:6".parse().unwrap()]);
    }
}
