//! The mesh's errors as openraft understands them.

use super::wire::GroupFault;
use crate::raft::TypeConfig;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MeshError;
use openraft::RPCTypes;
use openraft::error::{NetworkError, RPCError, StreamingError, Timeout, Unreachable};
use std::time::Duration;

/// What a request was, for the errors that openraft logs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand {
    pub(super) action: RPCTypes,
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) within: Duration,
}

impl Errand {
    /// `Unreachable` makes openraft wait before it tries again; `Network` lets it try again at once.
    pub(super) fn mesh(&self, error: &MeshError) -> RPCError<TypeConfig> {
        match error {
            MeshError::NotConnected(_) | MeshError::Refused { .. } | MeshError::Stopping => {
                RPCError::Unreachable(Unreachable::new(error))
            }
            MeshError::Congested(_)
            | MeshError::TooLarge { .. }
            | MeshError::Lost(_)
            | MeshError::Unanswered { .. } => RPCError::Network(NetworkError::new(error)),
            MeshError::Timeout(_) => self.timeout(),
        }
    }

    pub(super) fn fault(&self, fault: &GroupFault) -> RPCError<TypeConfig> {
        match fault {
            GroupFault::Absent(_)
            | GroupFault::Stopped(..)
            | GroupFault::Renewed(..)
            | GroupFault::Part(..)
            | GroupFault::Unheard(_)
            | GroupFault::Astray(_) => RPCError::Unreachable(Unreachable::new(fault)),
            GroupFault::Late(_) => self.timeout(),
        }
    }

    pub(super) fn timeout(&self) -> RPCError<TypeConfig> {
        RPCError::Timeout(Timeout { action: self.action, id: self.from, target: self.to, timeout: self.within })
    }
}

/// Something in between did not work; openraft tries again at once.
pub(super) fn network(reason: impl ToString) -> RPCError<TypeConfig> {
    RPCError::Network(NetworkError::from_string(reason))
}

/// The same for snapshots.
pub(super) fn streaming(error: RPCError<TypeConfig>) -> StreamingError<TypeConfig> {
    error.into()
}
