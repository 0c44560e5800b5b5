//! The nodes of a cluster that the command line may ask: this home's node first, then those it has heard of.

use crate::home::Home;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// The most other nodes that are remembered: enough to find one that answers, few enough to try in turn.
const MOST: usize = 16;
/// After how long the list is asked for anew.
const STALE: Duration = Duration::from_secs(60);
/// The largest list that is read.
const MOST_BYTES: u64 = 64 * 1024;

/// A node: where it answers, and its id, which the cluster has committed and its key has to prove there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Where it answers.
    pub(super) url: String,
    /// Its id; `None` for a home's own node when its credentials name none.
    pub(super) node: Option<String>,
}

/// `run/nodes.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    nodes: Vec<Node>,
}

/// Where requests may go.
#[derive(Debug)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    /// Which of them answered last.
    current: AtomicUsize,
    /// Where the list is kept, when the client may ask other nodes at all.
    cache: Option<PathBuf>,
    refreshed: AtomicBool,
}

impl Nodes {
    /// One node and no other.
    pub(super) fn one(node: Node) -> Self {
        Self { nodes: vec![node], current: AtomicUsize::new(0), cache: None, refreshed: AtomicBool::new(true) }
    }

    /// These nodes, without a list that is kept.
    #[cfg(test)]
    pub(super) fn fixed(urls: &[&str]) -> Self {
        let node = |url: &&str| Node { url: (*url).to_owned(), node: None };
        Self { nodes: urls.iter().map(node).collect(), ..Self::one(node(&"")) }
    }

    /// The home's node and the others it has heard of.
    pub(super) fn of(home: &Home, own: Node) -> Self {
        let cache = home.nodes();
        let mut nodes = vec![own];
        for node in read(&cache) {
            let known = nodes.iter().any(|known| known.url == node.url);
            if nodes.len() <= MOST && node.node.is_some() && !known && url_of(&node.url).is_some() {
                nodes.push(node);
            }
        }
        let refreshed = AtomicBool::new(is_fresh(&cache));
        Self { nodes, current: AtomicUsize::new(0), cache: Some(cache), refreshed }
    }

    /// The node that answered last.
    pub(super) fn current(&self) -> &Node {
        // The index is one that `in_turn` has told.
        &self.nodes[self.current.load(Ordering::Relaxed)]
    }

    /// The nodes in the order in which they are to be tried: the one that answered last, then the others in turn.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = (usize, &Node)> {
        let first = self.current.load(Ordering::Relaxed);
        self.nodes.iter().enumerate().cycle().skip(first).take(self.nodes.len())
    }

    /// How many nodes there are.
    pub(super) const fn count(&self) -> usize {
        self.nodes.len()
    }

    /// This one answered.
    pub(super) fn answered(&self, index: usize) {
        self.current.store(index, Ordering::Relaxed);
    }

    /// Whether the list ought to be asked for; says so once.
    pub(super) fn wants_list(&self) -> bool {
        !self.refreshed.swap(true, Ordering::Relaxed)
    }

    /// Remembers where the members of the cluster answer. A list that cannot be kept is asked for again.
    pub(super) fn remember(&self, members: &Value) {
        let Some(cache) = &self.cache else { return };
        self.refreshed.store(true, Ordering::Relaxed);
        let nodes = addresses(members);
        if let Err(error) = crate::private_file::write_json(cache, &Cached { nodes }) {
            tracing::debug!(%error, "the list of nodes is not kept");
        }
    }
}

/// Where the full members answer, those that are known to be alive first. The id and the addresses are the cluster's word; gossip, which
/// any node may speak, adds the port alone. A guest has no business with anybody's token.
fn addresses(members: &Value) -> Vec<Node> {
    let members = members["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let counts = |member: &&Value| member["desired"] != "leaving" && member["role"] == "full";
    let mut ranked: Vec<(bool, Node)> = members
        .iter()
        .filter(counts)
        .filter_map(|member| {
            let url = member["facts"]["api"].as_str()?.trim_end_matches('/');
            let node = Node { url: url.to_owned(), node: Some(member["id"].as_str()?.to_owned()) };
            is_committed(url, member).then_some((member["reach"] != "alive", node))
        })
        .collect();
    ranked.sort_by_key(|(away, _)| *away);
    let mut nodes: Vec<Node> = Vec::new();
    for (_, node) in ranked {
        if nodes.len() < MOST && !nodes.iter().any(|known| known.url == node.url) {
            nodes.push(node);
        }
    }
    nodes
}

/// Whether the member has committed that it is reached at the host of `url`.
fn is_committed(url: &str, member: &Value) -> bool {
    let Some(host) = url_of(url).and_then(|url| url.host_str().map(str::to_owned)) else { return false };
    let Ok(host) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else { return false };
    let committed = member["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
    committed.iter().filter_map(|address| address.as_str()?.parse::<SocketAddr>().ok()).any(|at| at.ip() == host)
}

/// The token is sent to encrypted addresses only, whatever the file or a node says.
fn url_of(text: &str) -> Option<reqwest::Url> {
    let url = reqwest::Url::parse(text).ok().filter(|_| text.len() <= 255)?;
    (url.scheme() == "https" && url.has_host() && url.path() == "/" && url.username().is_empty()).then_some(url)
}

fn read(cache: &Path) -> Vec<Node> {
    let fits = std::fs::metadata(cache).is_ok_and(|file| file.len() <= MOST_BYTES);
    let text = fits.then(|| std::fs::read(cache).ok()).flatten();
    let cached: Option<Cached> = text.and_then(|text| serde_json::from_slice(&text).ok());
    cached.map(|cached| cached.nodes).unwrap_or_default()
}

fn is_fresh(cache: &Path) -> bool {
    let age = std::fs::metadata(cache).and_then(|file| file.modified()).ok();
    age.and_then(|written| SystemTime::now().duration_since(written).ok()).is_some_and(|age| age < STALE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn member(id: &str, role: &str, reach: &str, desired: &str, api: &str) -> Value {
        let addresses = ["10.0.0.1:47210", "10.0.0.2:47210", "10.0.0.3:47210", "10.0.0.4:1", "[fd00::1]:1"];
        json!({"id": id, "role": role, "reach": reach, "desired": desired, "facts": {"api": api}, "addresses": addresses})
    }

    fn node(id: &str, url: &str) -> Node {
        Node { url: url.to_owned(), node: Some(id.to_owned()) }
    }

    #[test]
    fn members_that_answer_come_first_and_only_encrypted_addresses_count() {
        let members = json!({"items": [
            member("a", "full", "down", "active", "https://10.0.0.1:47200"),
            member("b", "full", "alive", "active", "https://10.0.0.2:47200/"),
            member("c", "full", "alive", "active", "http://10.0.0.3:47200"),
            member("d", "full", "alive", "leaving", "https://10.0.0.4:47200"),
            member("e", "full", "alive", "active", "https://user@10.0.0.1:47200"),
            member("f", "full", "alive", "active", "https://10.0.0.2:47200"),
            member("g", "full", "alive", "active", "https://[fd00::1]:47200"),
            {"id": "h", "role": "full", "reach": "alive", "addresses": ["10.0.0.1:47210"], "facts": null},
        ]});
        let expected = [
            node("b", "https://10.0.0.2:47200"),
            node("g", "https://[fd00::1]:47200"),
            node("a", "https://10.0.0.1:47200"),
        ];
        assert_eq!(addresses(&members), expected);
    }

    #[test]
    fn no_token_goes_to_a_guest_or_to_an_address_that_only_gossip_knows() {
        let members = json!({"items": [
            member("a", "guest", "alive", "active", "https://10.0.0.1:47200"),
            member("b", "full", "alive", "active", "https://10.9.9.9:47200"),
            member("c", "full", "alive", "active", "https://evil.example:47200"),
        ]});
        assert_eq!(addresses(&members), []);
    }

    #[test]
    fn the_list_is_kept_privately_and_read_again() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(directory.path().to_owned())).unwrap();
        let (own, other) = (node("a", "https://10.0.0.1:1"), node("b", "https://10.0.0.2:47200"));
        let nodes = Nodes::of(&home, own.clone());
        assert!(nodes.wants_list() && !nodes.wants_list());
        let listed = [
            member("b", "full", "alive", "active", "https://10.0.0.2:47200"),
            member("a", "full", "alive", "active", "https://10.0.0.1:1"),
        ];
        nodes.remember(&json!({"items": listed}));
        let mode = std::fs::metadata(home.nodes()).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may read the list");
        let nodes = Nodes::of(&home, own.clone());
        assert!(!nodes.wants_list(), "a fresh list is not asked for");
        assert_eq!(nodes.in_turn().map(|(_, node)| node).collect::<Vec<_>>(), [&own, &other]);
        nodes.answered(1);
        assert_eq!(nodes.in_turn().next(), Some((1, &other)));
        for text in ["{", r#"{"nodes":[{"url":"https://10.0.0.2:47200","node":null}]}"#] {
            std::fs::write(home.nodes(), text).unwrap();
            assert_eq!(Nodes::of(&home, own.clone()).count(), 1, "{text}");
        }
    }
}
