//! The nodes of a cluster that the command line may ask: this home's node first, then those it has heard of.

use crate::home::Home;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// The most other nodes that are remembered: enough to find one that answers, few enough to try in turn.
const MOST: usize = 16;
/// After how long the list is asked for anew.
const STALE: Duration = Duration::from_secs(60);
/// The largest list that is read.
const MOST_BYTES: u64 = 64 * 1024;

/// `run/nodes.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    nodes: Vec<String>,
}

/// Where requests may go.
#[derive(Debug)]
pub(super) struct Nodes {
    urls: Vec<String>,
    /// Which of them answered last.
    current: AtomicUsize,
    /// Where the list is kept, when the client may ask other nodes at all.
    cache: Option<PathBuf>,
    refreshed: AtomicBool,
}

impl Nodes {
    /// One node and no other.
    pub(super) fn one(url: String) -> Self {
        Self { urls: vec![url], current: AtomicUsize::new(0), cache: None, refreshed: AtomicBool::new(true) }
    }

    /// These nodes, without a list that is kept.
    #[cfg(test)]
    pub(super) fn fixed(urls: &[&str]) -> Self {
        Self { urls: urls.iter().map(|&url| url.to_owned()).collect(), ..Self::one(String::new()) }
    }

    /// The home's node and the others it has heard of.
    pub(super) fn of(home: &Home, url: String) -> Self {
        let cache = home.nodes();
        let mut urls = vec![url];
        for node in read(&cache) {
            if urls.len() <= MOST && is_address(&node) && !urls.contains(&node) {
                urls.push(node);
            }
        }
        let refreshed = AtomicBool::new(is_fresh(&cache));
        Self { urls, current: AtomicUsize::new(0), cache: Some(cache), refreshed }
    }

    /// The node that answered last.
    pub(super) fn current(&self) -> &str {
        self.urls.get(self.current.load(Ordering::Relaxed)).map_or("", String::as_str)
    }

    /// The nodes in the order in which they are to be tried: the one that answered last, then the others in turn.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = (usize, &str)> {
        let first = self.current.load(Ordering::Relaxed);
        self.urls.iter().map(String::as_str).enumerate().cycle().skip(first).take(self.urls.len())
    }

    /// How many nodes there are.
    pub(super) const fn count(&self) -> usize {
        self.urls.len()
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

/// Where the members answer, those that are known to be alive first.
fn addresses(members: &Value) -> Vec<String> {
    let members = members["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let stays = members.iter().filter(|member| member["desired"] != "leaving");
    let mut ranked: Vec<(bool, &str)> = stays
        .filter_map(|member| Some((member["reach"] != "alive", member["facts"]["api"].as_str()?.trim_end_matches('/'))))
        .filter(|(_, address)| is_address(address))
        .collect();
    ranked.sort_by_key(|(away, _)| *away);
    let mut nodes: Vec<String> = Vec::new();
    for (_, address) in ranked {
        if nodes.len() < MOST && !nodes.iter().any(|node| node == address) {
            nodes.push(address.to_owned());
        }
    }
    nodes
}

/// The token is sent to encrypted addresses only, whatever the file or a node says.
fn is_address(text: &str) -> bool {
    text.len() <= 255
        && reqwest::Url::parse(text).is_ok_and(|url| {
            url.scheme() == "https" && url.has_host() && url.path() == "/" && url.username().is_empty()
        })
}

fn read(cache: &Path) -> Vec<String> {
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

    #[test]
    fn members_that_answer_come_first_and_only_encrypted_addresses_count() {
        let member =
            |reach: &str, desired: &str, api: &str| json!({"reach": reach, "desired": desired, "facts": {"api": api}});
        let members = json!({"items": [
            member("down", "active", "https://10.0.0.1:47200"),
            member("alive", "active", "https://10.0.0.2:47200/"),
            member("alive", "active", "http://10.0.0.3:47200"),
            member("alive", "leaving", "https://10.0.0.4:47200"),
            member("alive", "active", "https://user@10.0.0.5:47200"),
            member("alive", "active", "https://10.0.0.2:47200"),
            {"reach": "alive", "desired": "active", "facts": null},
        ]});
        assert_eq!(addresses(&members), ["https://10.0.0.2:47200", "https://10.0.0.1:47200"]);
    }

    #[test]
    fn the_list_is_kept_privately_and_read_again() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(directory.path().to_owned())).unwrap();
        let nodes = Nodes::of(&home, "https://127.0.0.1:1".to_owned());
        assert!(nodes.wants_list() && !nodes.wants_list());
        nodes.remember(&json!({"items": [{"reach": "alive", "facts": {"api": "https://10.0.0.2:47200"}},
            {"reach": "alive", "facts": {"api": "https://127.0.0.1:1"}}]}));
        let mode = std::fs::metadata(home.nodes()).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may read the list");
        let nodes = Nodes::of(&home, "https://127.0.0.1:1".to_owned());
        assert!(!nodes.wants_list(), "a fresh list is not asked for");
        assert_eq!(
            nodes.in_turn().map(|(_, url)| url).collect::<Vec<_>>(),
            ["https://127.0.0.1:1", "https://10.0.0.2:47200"]
        );
        nodes.answered(1);
        assert_eq!(nodes.in_turn().next(), Some((1, "https://10.0.0.2:47200")));
        std::fs::write(home.nodes(), "{").unwrap();
        assert_eq!(Nodes::of(&home, "https://127.0.0.1:1".to_owned()).count(), 1);
    }
}
