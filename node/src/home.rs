//! The node's home directory: where it is and what lies where in it.

use crate::failure::{Exit, Failure};
use std::path::{Path, PathBuf};

/// A home directory; it need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// The directory that was asked for, otherwise `~/.octopussy`.
    pub(crate) fn locate(asked: Option<PathBuf>) -> Result<Self, Failure> {
        let path = match asked {
            Some(path) if path.as_os_str().is_empty() => {
                return Err(Failure::new("the home directory is an empty path")
                    .exit(Exit::Usage)
                    .hint("set --home or OCTOPUSSY_HOME to a directory, or leave it out for ~/.octopussy"));
            }
            Some(path) => path,
            None => std::env::home_dir()
                .filter(|home| !home.as_os_str().is_empty())
                .map(|home| home.join(".octopussy"))
                .ok_or_else(|| {
                    Failure::new("there is no home directory to put .octopussy in").hint("say where with --home DIR")
                })?,
        };
        std::path::absolute(&path).map(Self).map_err(|error| Failure::io("cannot resolve", &path, &error))
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("config.yaml")
    }

    /// Where and with which token the node is spoken to. Mode 0600.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.0.join("credentials.json")
    }

    /// What the running node says of itself.
    pub(crate) fn node_file(&self) -> PathBuf {
        self.0.join("run").join("node.json")
    }

    /// Where the other nodes of the cluster answer, as the command line has heard. Mode 0600.
    pub(crate) fn nodes(&self) -> PathBuf {
        self.0.join("run").join("nodes.json")
    }

    /// Why the last start in the background failed.
    pub(crate) fn start_error(&self) -> PathBuf {
        self.0.join("run").join("start-error.json")
    }

    /// What the node in the background prints.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("logs").join("octopussy.log")
    }

    /// The audit log; files that were put aside lie beside it.
    pub(crate) fn audit(&self) -> PathBuf {
        self.0.join("audit").join("audit.jsonl")
    }

    /// Whether `install` has been here.
    pub(crate) fn is_installed(&self) -> bool {
        self.config().exists() && self.credentials().exists() && self.0.join("tls").join("node.pem").exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_home_becomes_absolute() {
        let home = Home::locate(Some(PathBuf::from("here"))).unwrap();
        assert!(home.path().is_absolute());
        assert!(home.config().ends_with("here/config.yaml"));
    }

    #[test]
    fn an_empty_home_is_a_usage_error() {
        assert_eq!(Home::locate(Some(PathBuf::new())).unwrap_err().exit, Exit::Usage);
    }
}
