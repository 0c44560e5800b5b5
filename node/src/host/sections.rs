//! The sections of the configuration that the node itself owns: `node`, `store`, `cluster`, `mesh`.

use crate::cluster::{NAME_RULE, Seed, default_name, is_name, local_addresses};
use octopussy_config::{Origin, Settings};
use octopussy_core::ids::ShardCount;
use octopussy_core::problem::Finding;
use octopussy_shard::{Engine, ShardHostConfig, Timings};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The mesh's port: UDP.
const MESH_PORT: u16 = 47_210;
/// The most addresses that can be advertised.
const MAX_ADVERTISED: usize = 16;
/// The largest weight of a node.
const MAX_CAPACITY: u32 = 10_000;

/// The section `node`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NodeSection {
    /// More names and addresses the certificate is to be good for.
    pub(super) names: Vec<String>,
}

/// The section `store`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StoreSection {
    engine: Engine,
    cache_mb: usize,
    retention_days: u32,
    max_ended: u64,
    dead_letter_days: u32,
    max_dead_letters: u64,
    /// 0: a quarter of the machine's memory.
    max_unended_mb: u64,
    max_waiting_mb: u64,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            cache_mb: 32,
            retention_days: 30,
            max_ended: 1_000_000,
            dead_letter_days: 90,
            max_dead_letters: 100_000,
            max_unended_mb: 0,
            max_waiting_mb: 4_096,
        }
    }
}

/// How soon a lost leader is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TimingsName {
    /// A home or office network.
    #[default]
    Lan,
    /// One machine or one rack.
    Fast,
    /// Nodes in different places.
    Wan,
}

/// The section `cluster`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClusterSection {
    shards: u16,
    replication: u8,
    timings: TimingsName,
    grace_minutes: u32,
    max_recovery_age_hours: u32,
    name: Option<String>,
    zone: Option<String>,
    capacity: Option<u32>,
    found: bool,
}

impl Default for ClusterSection {
    fn default() -> Self {
        Self {
            shards: ShardCount::DEFAULT.get(),
            replication: 3,
            timings: TimingsName::Lan,
            grace_minutes: 5,
            max_recovery_age_hours: 24,
            name: None,
            zone: None,
            capacity: None,
            found: true,
        }
    }
}

/// The section `mesh`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MeshSection {
    bind: IpAddr,
    port: u16,
    port_offset: u16,
    advertise: Vec<String>,
    announce: bool,
    seeds: Vec<String>,
}

impl Default for MeshSection {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: MESH_PORT,
            port_offset: 0,
            advertise: Vec::new(),
            announce: false,
            seeds: Vec::new(),
        }
    }
}

/// Where the mesh listens and is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MeshSettings {
    /// The address it listens on.
    pub(super) bind: IpAddr,
    /// Its port without the offset; 0 takes a free one.
    pub(super) port: u16,
    /// Added to the port.
    pub(super) port_offset: u16,
    /// Where others reach it, when that is not the address it listens on.
    pub(super) advertise: Vec<SocketAddr>,
    /// Whether it tells the local network that it is there: only when somebody wants it.
    pub(super) announce: bool,
    /// Where members are looked for that do not answer where they were last.
    pub(super) seeds: Vec<Seed>,
}

impl MeshSettings {
    /// What is listened on.
    pub(super) const fn listen(&self) -> SocketAddr {
        let port = if self.port == 0 { 0 } else { self.port.saturating_add(self.port_offset) };
        SocketAddr::new(self.bind, port)
    }
}

/// What the node is in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlaceSettings {
    /// Its name, when one was chosen.
    pub(super) name: Option<String>,
    /// Its zone.
    pub(super) zone: Option<String>,
    /// Its weight, when one was chosen.
    pub(super) capacity: Option<u32>,
    /// How many shards a cluster has that is founded here.
    pub(super) shards: ShardCount,
    /// How many replicas a shard has in it.
    pub(super) replication: u8,
    /// Whether a home that belongs to no cluster founds one without being told to.
    pub(super) found: bool,
}

impl PlaceSettings {
    /// The name, and whether somebody chose it.
    pub(super) fn name(&self) -> (String, bool) {
        self.name.clone().map_or_else(|| (default_name(), false), |name| (name, true))
    }
}

/// Checks the section `mesh`.
pub(super) fn mesh(section: &MeshSection, settings: &Settings, findings: &mut Vec<Finding>) -> MeshSettings {
    let mut advertise = Vec::new();
    if section.advertise.len() > MAX_ADVERTISED {
        findings.push(finding(settings, "mesh.advertise", "it has more than 16 addresses", None));
    }
    if section.port.checked_add(section.port_offset).is_none() {
        let message = format!("port {} with the offset {} is beyond 65535", section.port, section.port_offset);
        findings.push(finding(settings, "mesh.port", &message, None));
    }
    let port = section.port.saturating_add(section.port_offset);
    for (index, text) in section.advertise.iter().enumerate() {
        let address = text.parse::<SocketAddr>().or_else(|_| text.parse().map(|ip| SocketAddr::new(ip, port)));
        match address {
            Ok(address) if !address.ip().is_unspecified() && address.port() != 0 => advertise.push(address),
            Ok(_) | Err(_) => findings.push(finding(
                settings,
                &format!("mesh.advertise.{index}"),
                &format!("'{text}' is no address that others can reach"),
                Some("write an IP address, such as 192.168.1.20 or 203.0.113.5:47210 or [2001:db8::1]:47210"),
            )),
        }
    }
    if section.seeds.len() > MAX_ADVERTISED {
        findings.push(finding(settings, "mesh.seeds", "it has more than 16 entries", None));
    }
    let mut seeds = Vec::new();
    for (index, text) in section.seeds.iter().enumerate() {
        match Seed::parse(text, port) {
            Some(seed) => seeds.push(seed),
            None => findings.push(finding(
                settings,
                &format!("mesh.seeds.{index}"),
                &format!("'{text}' is neither a name nor an address"),
                Some("write a host's name or IP address, with a port when it is not this node's: pi.local or 192.168.1.20:47210"),
            )),
        }
    }
    MeshSettings {
        bind: bind(section, settings),
        port: section.port,
        port_offset: section.port_offset,
        advertise,
        announce: section.announce,
        seeds,
    }
}

/// The address that is listened on: what was chosen, otherwise every IPv4 network, or every network of a machine without IPv4.
fn bind(section: &MeshSection, settings: &Settings) -> IpAddr {
    if settings.origin("mesh.bind").is_some() {
        section.bind
    } else {
        default_bind(&local_addresses().unwrap_or_default())
    }
}

fn default_bind(local: &[IpAddr]) -> IpAddr {
    if !local.is_empty() && local.iter().all(IpAddr::is_ipv6) {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    }
}

/// Checks the section `cluster` and what it says about the node's place.
pub(super) fn place(section: &ClusterSection, settings: &Settings, findings: &mut Vec<Finding>) -> PlaceSettings {
    for (key, text) in [("cluster.name", &section.name), ("cluster.zone", &section.zone)] {
        if text.as_deref().is_some_and(|text| !is_name(text)) {
            findings.push(finding(settings, key, NAME_RULE, None));
        }
    }
    if section.capacity.is_some_and(|capacity| !(1..=MAX_CAPACITY).contains(&capacity)) {
        findings.push(finding(settings, "cluster.capacity", "expected 1 to 10000", None));
    }
    if !matches!(section.replication, 1 | 3 | 5 | 7) {
        let hint = "an even number would cost more and survive no more";
        findings.push(finding(settings, "cluster.replication", "expected 1, 3, 5 or 7", Some(hint)));
    }
    let shards = ShardCount::new(section.shards);
    if shards.is_none() {
        let message = format!("it is {}: expected 1 to {}", section.shards, ShardCount::MAX);
        findings.push(finding(settings, "cluster.shards", &message, None));
    }
    PlaceSettings {
        name: section.name.clone(),
        zone: section.zone.clone(),
        capacity: section.capacity,
        shards: shards.unwrap_or(ShardCount::DEFAULT),
        replication: section.replication,
        found: section.found,
    }
}

/// How the groups are kept.
pub(super) fn groups(data: PathBuf, store: &StoreSection, cluster: &ClusterSection) -> ShardHostConfig {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let mut config = ShardHostConfig::new(data);
    config.engine = store.engine;
    config.cache_mb = store.cache_mb;
    config.retention = DAY * store.retention_days.max(1);
    config.max_ended = store.max_ended;
    config.dead_retention = DAY * store.dead_letter_days.max(1);
    config.max_dead = store.max_dead_letters;
    config.max_unended_bytes = unended_bytes(store.max_unended_mb, crate::cluster::memory_mib());
    config.max_waiting_bytes = store.max_waiting_mb.max(1).saturating_mul(1024 * 1024);
    config.max_recovery_age = Duration::from_secs(3_600) * cluster.max_recovery_age_hours.max(1);
    config.replace_after = Duration::from_secs(60) * cluster.grace_minutes.max(1);
    config.timings = match cluster.timings {
        TimingsName::Lan => Timings::DEFAULT,
        TimingsName::Fast => Timings::FAST,
        TimingsName::Wan => Timings::WAN,
    };
    config
}

/// How many bytes unended tasks may take: as configured, otherwise a quarter of the machine's memory within sensible bounds,
/// which leaves room for what is on its way to the disk, for the log and for the agents at work.
fn unended_bytes(configured_mib: u64, memory_mib: u64) -> u64 {
    let mib = if configured_mib > 0 { configured_mib } else { (memory_mib / 4).clamp(64, 4_096) };
    mib.saturating_mul(1024 * 1024)
}

/// A finding at the place that set the key.
fn finding(settings: &Settings, key: &str, message: &str, hint: Option<&str>) -> Finding {
    let (file, line) = settings.origin(key).map_or(("config.yaml", None), Origin::place);
    Finding { file: file.to_owned(), line, message: format!("{key}: {message}"), hint: hint.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_config::{LoadOptions, load};

    fn checked(text: &str) -> (MeshSettings, PlaceSettings, Vec<Finding>) {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.yaml");
        std::fs::write(&file, text).unwrap();
        let sections = vec!["mesh", "cluster", "gateway", "store", "observability", "security", "messaging"];
        let settings = load(&LoadOptions { file, profile: None, sections, environment: Vec::new() }).unwrap();
        let mut findings = Vec::new();
        let mesh = mesh(&settings.section("mesh").unwrap(), &settings, &mut findings);
        let place = place(&settings.section("cluster").unwrap(), &settings, &mut findings);
        (mesh, place, findings)
    }

    #[test]
    fn nothing_written_is_a_node_that_others_can_reach() {
        let (mesh, place, findings) = checked("");
        assert_eq!(findings, Vec::new());
        assert_eq!(mesh.listen(), "0.0.0.0:47210".parse().unwrap());
        assert!(!mesh.announce, "nobody asked for it");
        assert_eq!((place.replication, place.shards.get()), (3, 16));
        assert_eq!(place.capacity, None);
        assert!(!place.name().1, "nobody has chosen a name");
    }

    #[test]
    fn addresses_are_read_with_and_without_a_port() {
        let (mesh, _, findings) =
            checked("mesh:\n  port: 5000\n  port_offset: 7\n  advertise: [192.0.2.1, '192.0.2.2:9', '2001:db8::1']\n");
        assert_eq!(findings, Vec::new());
        assert_eq!(mesh.listen().port(), 5_007);
        let expected = ["192.0.2.1:5007", "192.0.2.2:9", "[2001:db8::1]:5007"].map(|text| text.parse().unwrap());
        assert_eq!(mesh.advertise, expected);
    }

    #[test]
    fn seeds_are_names_and_addresses() {
        let (mesh, _, findings) = checked("mesh:\n  seeds: [pi.local, '192.0.2.2:9']\n");
        assert_eq!(findings, Vec::new());
        assert_eq!(mesh.seeds, ["pi.local:47210", "192.0.2.2:9"].map(|text| Seed::parse(text, 1).unwrap()));
        let (_, _, findings) = checked("mesh:\n  seeds: ['http://pi']\n");
        assert_eq!(findings.len(), 1, "{findings:?}");
    }

    #[test]
    fn a_machine_without_ipv4_listens_on_ipv6() {
        let (four, six): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        assert!(default_bind(&[six]).is_ipv6());
        assert!(default_bind(&[four, six]).is_ipv4() && default_bind(&[]).is_ipv4());
    }

    #[test]
    fn every_mistake_is_found_at_its_line() {
        let text = "mesh:\n  advertise:\n    - 192.0.2.1\n    - home.example\ncluster:\n  name: two words\n  capacity: 0\n  \
                    replication: 2\n  shards: 2000\n";
        let (_, _, findings) = checked(text);
        let lines: Vec<_> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [Some(4), Some(6), Some(7), Some(8), Some(9)], "{findings:#?}");
        assert!(findings[0].message.contains("home.example"), "{}", findings[0]);
    }
}
