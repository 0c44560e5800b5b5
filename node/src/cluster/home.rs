//! What a home directory keeps about its cluster: `cluster/member.json`, the data key, and the journal of a joining that has
//! not been finished.

use super::acquaintances::Acquainted;
use super::join_wire::JoinGrant;
use super::seal::{DataKey, NoRandomness};
use super::secrets_merge::Base;
use crate::identity::AuthorityKey;
use crate::private_file;
use octopussy_core::codec::{self, CodecError};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MemberRole;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where it is kept which starts of other members are known, and in which shape.
const ACQUAINTANCES: &str = "acquaintances";
const ACQUAINTANCES_SCHEMA: u16 = 1;

/// That this home belongs to a cluster, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    /// The cluster's id.
    pub(crate) cluster: String,
    /// The node's name in it.
    pub(crate) name: String,
    /// What the node is in it.
    pub(crate) role: MemberRole,
    /// Whether the node founded the cluster; otherwise it joined.
    #[serde(default)]
    pub(crate) founder: bool,
    /// The weight that was asked for on the command line, when one was.
    #[serde(default)]
    pub(crate) capacity: Option<u32>,
    /// The zone that was asked for on the command line, when one was.
    #[serde(default)]
    pub(crate) zone: Option<String>,
    /// Whether the node's data directory has been part of the cluster: from then on it must not begin empty.
    #[serde(default)]
    pub(crate) settled: bool,
    /// Whether the node was removed from the cluster: it must not run again.
    #[serde(default)]
    pub(crate) removed: bool,
}

impl Membership {
    /// Whether the authority's key has to be in this home.
    pub(crate) const fn authority_key(&self) -> AuthorityKey {
        match self.role {
            MemberRole::Full => AuthorityKey::Held,
            MemberRole::Guest => AuthorityKey::Elsewhere,
        }
    }
}

/// A file about the cluster cannot be used. It is left as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    /// It cannot be read or written.
    #[error("cannot {doing} {}: {error}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// It holds something else.
    #[error("{} is damaged ({reason}): restore it from a backup, or let the node join again with a new home directory", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No key can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// The folder `cluster/` of a home directory.
#[derive(Debug, Clone)]
pub(crate) struct ClusterHome(PathBuf);

impl ClusterHome {
    /// The folder below `home`; it need not exist.
    pub(crate) fn of(home: &Path) -> Self {
        Self(home.join("cluster"))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn read(&self, file: &str) -> Result<Option<Vec<u8>>, HomeError> {
        let path = self.path(file);
        private_file::read(&path).map_err(|error| HomeError::File { doing: "read", path, error })
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<(), HomeError> {
        let path = self.path(file);
        private_file::write(&path, bytes).map_err(|error| HomeError::File { doing: "write", path, error })
    }

    /// The cluster this home belongs to; `None` while it belongs to none.
    pub(crate) fn membership(&self) -> Result<Option<Membership>, HomeError> {
        let read = self.read("member.json")?;
        read.map(|text| serde_json::from_slice(&text).map_err(|error| self.damaged("member.json", error))).transpose()
    }

    /// Writes down to which cluster this home belongs.
    pub(crate) fn set_membership(&self, membership: &Membership) -> Result<(), HomeError> {
        let text = serde_json::to_vec_pretty(membership).map_err(|error| self.damaged("member.json", error))?;
        self.write("member.json", &text)
    }

    /// The data key; a founder makes it.
    pub(crate) fn data_key(&self, may_make: bool) -> Result<DataKey, HomeError> {
        let missing = "it is missing";
        match self.read("data.key")? {
            Some(text) => {
                let bytes = std::str::from_utf8(&text).ok().and_then(|text| super::from_hex(text.trim()));
                bytes
                    .map(DataKey::new)
                    .ok_or_else(|| self.damaged("data.key", "it does not hold 64 hexadecimal digits"))
            }
            None if may_make => {
                let key = DataKey::generate()?;
                self.set_data_key(&key)?;
                Ok(key)
            }
            None => Err(self.damaged("data.key", missing)),
        }
    }

    /// Keeps the data key of the cluster.
    pub(crate) fn set_data_key(&self, key: &DataKey) -> Result<(), HomeError> {
        let text = Zeroizing::new(super::hex(key.expose()));
        self.write("data.key", text.as_bytes())
    }

    /// The shared secrets as they were when this node and the cluster last agreed. One that cannot be read counts as none:
    /// what the cluster has is then taken.
    pub(crate) fn secrets_base(&self) -> Result<Base, HomeError> {
        let read = self.read("secrets.base")?;
        Ok(read.and_then(|bytes| codec::decode(&bytes).ok()).unwrap_or_default())
    }

    /// Keeps what node and cluster agree on.
    pub(crate) fn set_secrets_base(&self, base: &Base) -> Result<(), HomeError> {
        let bytes = codec::encode(base).map_err(|error| self.undecodable("secrets.base", &error))?;
        self.write("secrets.base", &bytes)
    }

    /// What a cluster handed over to a node that was interrupted before everything was in its place.
    pub(crate) fn journal(&self) -> Result<Option<JoinGrant>, HomeError> {
        let read = self.read("joining")?.map(Zeroizing::new);
        read.map(|bytes| codec::decode(&bytes).map_err(|error| self.undecodable("joining", &error))).transpose()
    }

    /// Keeps what a cluster handed over: from here on the home will belong to that cluster, whatever happens.
    pub(crate) fn set_journal(&self, grant: &JoinGrant) -> Result<(), HomeError> {
        let bytes = Zeroizing::new(codec::encode(grant).map_err(|error| self.undecodable("joining", &error))?);
        self.write("joining", &bytes)
    }

    /// Everything is in its place.
    pub(crate) fn clear_journal(&self) -> Result<(), HomeError> {
        let path = self.path("joining");
        private_file::wipe(&path).map_err(|error| HomeError::File { doing: "remove", path, error })
    }

    /// Where members were reached when this node was let in; empty when it was not let in by anybody.
    pub(crate) fn introductions(&self) -> Result<Vec<(NodeId, Vec<SocketAddr>)>, HomeError> {
        let read = self.read("introductions")?;
        let decode = |bytes: Vec<u8>| codec::decode(&bytes).map_err(|error| self.undecodable("introductions", &error));
        Ok(read.map(decode).transpose()?.unwrap_or_default())
    }

    /// Keeps where members are reached, for the time before this node has a copy of the control state.
    pub(crate) fn set_introductions(&self, members: &[(NodeId, Vec<SocketAddr>)]) -> Result<(), HomeError> {
        let bytes = codec::encode(members).map_err(|error| self.undecodable("introductions", &error))?;
        self.write("introductions", &bytes)
    }

    /// Whether a start was to let this home join a cluster.
    pub(crate) fn was_to_join(&self) -> Result<bool, HomeError> {
        Ok(self.read("to-join")?.is_some())
    }

    /// Notes that this home is to join the cluster whose authority has this fingerprint.
    pub(crate) fn set_to_join(&self, fingerprint: &[u8; 32]) -> Result<(), HomeError> {
        self.write("to-join", format!("{}\n", super::hex(fingerprint)).as_bytes())
    }

    /// It has joined, or founds a cluster of its own.
    pub(crate) fn clear_to_join(&self) -> Result<(), HomeError> {
        let path = self.path("to-join");
        private_file::remove(&path).map_err(|error| HomeError::File { doing: "remove", path, error })
    }

    /// The port offset this home has settled on.
    pub(crate) fn port_offset(&self) -> Result<Option<u16>, HomeError> {
        let read = self.read("port-offset")?;
        read.map(|text| {
            let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
            number.ok_or_else(|| self.damaged("port-offset", "it does not hold a number"))
        })
        .transpose()
    }

    /// Settles on a port offset.
    pub(crate) fn set_port_offset(&self, offset: u16) -> Result<(), HomeError> {
        self.write("port-offset", format!("{offset}\n").as_bytes())
    }

    /// Which starts of the other members are known here.
    pub(crate) fn acquaintances(&self) -> Result<Acquainted, HomeError> {
        let Some(bytes) = self.read(ACQUAINTANCES)? else { return Ok(Acquainted::new()) };
        let (schema, met): (u16, Acquainted) =
            codec::decode(&bytes).map_err(|error| self.undecodable(ACQUAINTANCES, &error))?;
        if schema != ACQUAINTANCES_SCHEMA {
            return Err(
                self.damaged(ACQUAINTANCES, format!("its shape is {schema}, this build knows {ACQUAINTANCES_SCHEMA}"))
            );
        }
        Ok(met)
    }

    /// Keeps which starts of the other members are known.
    pub(crate) fn set_acquaintances(&self, met: &Acquainted) -> Result<(), HomeError> {
        let bytes =
            codec::encode(&(ACQUAINTANCES_SCHEMA, met)).map_err(|error| self.undecodable(ACQUAINTANCES, &error))?;
        self.write(ACQUAINTANCES, &bytes)
    }

    fn damaged(&self, file: &str, reason: impl std::fmt::Display) -> HomeError {
        HomeError::Damaged { path: self.path(file), reason: reason.to_string() }
    }

    fn undecodable(&self, file: &str, error: &CodecError) -> HomeError {
        self.damaged(file, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_written_is_read_again_and_private() {
        let home = tempfile::tempdir().unwrap();
        let cluster = ClusterHome::of(home.path());
        assert_eq!(cluster.membership().unwrap(), None);
        let membership = Membership {
            cluster: "c1".to_owned(),
            name: "attic".to_owned(),
            role: MemberRole::Guest,
            founder: false,
            capacity: None,
            zone: Some("cellar".to_owned()),
            settled: true,
            removed: false,
        };
        cluster.set_membership(&membership).unwrap();
        assert_eq!(cluster.membership().unwrap(), Some(membership));
        assert!(cluster.data_key(false).is_err());
        let key = cluster.data_key(true).unwrap();
        assert!(cluster.data_key(false).unwrap() == key);
        let mode = std::fs::metadata(home.path().join("cluster/data.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(cluster.port_offset().unwrap(), None);
        cluster.set_port_offset(20).unwrap();
        assert_eq!(cluster.port_offset().unwrap(), Some(20));
        assert_eq!(cluster.journal().unwrap(), None);
    }

    #[test]
    fn damage_is_told_with_the_file() {
        let home = tempfile::tempdir().unwrap();
        let cluster = ClusterHome::of(home.path());
        for file in ["member.json", "data.key", "joining", "port-offset"] {
            std::fs::create_dir_all(home.path().join("cluster")).unwrap();
            std::fs::write(home.path().join("cluster").join(file), "\u{1}nonsense").unwrap();
        }
        let errors = [
            cluster.membership().unwrap_err(),
            cluster.data_key(true).unwrap_err(),
            cluster.journal().unwrap_err(),
            cluster.port_offset().unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, HomeError::Damaged { .. }), "{error}");
        }
    }
}
