//! `run/node.json`: what the running node says of itself.

use super::pid;
use crate::home::Home;
use serde::{Deserialize, Serialize};

/// A node's place in its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterFacts {
    /// The cluster's id.
    pub(crate) cluster: String,
    /// The node's id.
    pub(crate) node: String,
    /// Its name.
    pub(crate) name: String,
    /// Whether it is a guest.
    #[serde(default)]
    pub(crate) guest: bool,
    /// Where other nodes reach it (UDP).
    pub(crate) mesh: String,
    /// How many members it knew when it began to serve, itself included.
    pub(crate) members: usize,
}

/// What the running node says of itself. Fields it does not know are let through, so that the writer may say more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeFile {
    /// Its process.
    pub(crate) pid: u32,
    /// When the process began, in the kernel's ticks; with the pid it names one process.
    #[serde(default)]
    pub(crate) started_ticks: Option<u64>,
    /// Where REST answers, such as `https://127.0.0.1:47200`.
    #[serde(default)]
    pub(crate) url: Option<String>,
    /// Where the WebSocket answers.
    #[serde(default)]
    pub(crate) ws_url: Option<String>,
    /// Where metrics are.
    #[serde(default)]
    pub(crate) metrics_url: Option<String>,
    /// Its place in its cluster.
    #[serde(default)]
    pub(crate) cluster: Option<ClusterFacts>,
}

impl NodeFile {
    /// The node that runs in `home`, when one does.
    pub(crate) fn of_running(home: &Home) -> Option<Self> {
        let text = std::fs::read(home.node_file()).ok()?;
        let node: Self = serde_json::from_slice(&text).ok()?;
        pid::is_running(node.pid, node.started_ticks).then_some(node)
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&self) -> bool {
        pid::is_running(self.pid, self.started_ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_left_behind_by_a_crash_is_not_a_running_node() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(directory.path().to_owned())).unwrap();
        assert_eq!(NodeFile::of_running(&home), None);
        std::fs::create_dir_all(home.node_file().parent().unwrap()).unwrap();
        let mut node = NodeFile {
            pid: std::process::id(),
            started_ticks: pid::start_ticks(std::process::id()),
            url: None,
            ws_url: None,
            metrics_url: None,
            cluster: None,
        };
        std::fs::write(home.node_file(), serde_json::to_vec(&node).unwrap()).unwrap();
        assert_eq!(NodeFile::of_running(&home), Some(node.clone()));
        if let Some(ticks) = &mut node.started_ticks {
            *ticks += 1;
            std::fs::write(home.node_file(), serde_json::to_vec(&node).unwrap()).unwrap();
            assert_eq!(NodeFile::of_running(&home), None);
        }
        std::fs::write(home.node_file(), "{").unwrap();
        assert_eq!(NodeFile::of_running(&home), None);
    }
}
