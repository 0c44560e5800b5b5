//! Judges what other nodes may ask of this one.
//!
//! The committed members are the authority ([`ControlState::who`]), as this node's copy of the control state has them. That copy may be
//! empty, because this node was let in a moment ago, or old, because it was away. Who is unknown in it may still bring it up to date,
//! and nothing else ([`Who::Joining`]), when
//! - the copy does not show yet that this node was let in, and those who have let it in told of the other: on its way there
//!   the copy passes by times at which neither was a member;
//! - the control group's own membership here names it as a voter, committed or not: a copy that a crash has thrown back must not
//!   shut out those whose votes bring it forward;
//! - a member that is known here says that it is one.

use super::registry::Registry;
use crate::forward::ask_standing;
use crate::raft::GroupId;
use futures::FutureExt;
use futures::future::BoxFuture;
use octopussy_control::{ControlState, Who};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Admission, MeshGuard, MeshPort, RequestKind};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

/// For how long the word of a member about another counts: longer than it takes to bring a copy of the control state up to date.
const WORD_COUNTS: Duration = Duration::from_secs(10 * 60);

/// How many nodes are known by the word of others at most: as many as a cluster has members.
const MAX_TOLD: usize = octopussy_control::MAX_MEMBERS;

/// For how long a node that connects and is unknown is looked up: an entry that was committed elsewhere arrives meanwhile.
const LOOK_UP: Duration = Duration::from_secs(2);

/// How often others are asked about it meanwhile.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// How many unknown nodes are looked up at once. Each has shown a certificate of the cluster; of more, somebody copied its key.
const LOOKED_UP: usize = 16;

/// Judges what other nodes may ask of this one.
pub(crate) struct Authority {
    control: watch::Receiver<Arc<ControlState>>,
    registry: Arc<Registry>,
    mesh: Arc<dyn MeshPort>,
    /// This node.
    me: NodeId,
    /// Members as those who have let this node in told of them. They count until its copy shows that it was let in.
    introduced: BTreeSet<NodeId>,
    /// Who is a member as members say, and until when that counts.
    told: Mutex<BTreeMap<NodeId, Instant>>,
    looking_up: Arc<Semaphore>,
}

impl Authority {
    pub(crate) fn new(
        control: watch::Receiver<Arc<ControlState>>,
        registry: Arc<Registry>,
        mesh: Arc<dyn MeshPort>,
        introduced: BTreeSet<NodeId>,
    ) -> Arc<Self> {
        let looking_up = Arc::new(Semaphore::new(LOOKED_UP));
        let me = mesh.incarnation().node;
        Arc::new(Self { control, registry, mesh, me, introduced, told: Mutex::default(), looking_up })
    }

    /// What a node is to this one.
    pub(crate) fn who(&self, node: NodeId) -> Who {
        let (who, introduced) = {
            let state = self.control.borrow();
            (state.who(node), self.is_introduced(&state, node))
        };
        let is_named = || introduced || self.is_joining(node);
        if who == Who::Stranger && is_named() { Who::Joining } else { who }
    }

    fn is_introduced(&self, state: &ControlState, node: NodeId) -> bool {
        !state.members.contains_key(&self.me) && self.introduced.contains(&node)
    }

    fn is_joining(&self, node: NodeId) -> bool {
        let votes = || self.registry.get(GroupId::CONTROL).is_some_and(|group| group.voters().contains(&node));
        self.told.lock().get(&node).is_some_and(|until| Instant::now() < *until) || votes()
    }

    /// Whether `from` is one of the group's nodes: as the committed table has it, or the group's own latest membership, of which
    /// the table may lag behind as the membership here may lag behind the table.
    pub(super) fn is_of(&self, group: GroupId, from: NodeId) -> bool {
        if self.control.borrow().may_be_of(group.shard(), from) {
            return true;
        }
        match self.who(from) {
            Who::Joining if group == GroupId::CONTROL => true,
            Who::Joining | Who::Member | Who::Leaving => {
                self.registry.get(group).is_some_and(|group| group.voters().contains(&from))
            }
            Who::Stranger | Who::Guest | Who::Removed => false,
        }
    }

    pub(super) const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Whether the word of a node about others counts here.
    fn is_trusted(&self, node: NodeId) -> bool {
        let state = self.control.borrow();
        match state.who(node) {
            Who::Member => true,
            Who::Stranger => self.is_introduced(&state, node),
            Who::Guest | Who::Joining | Who::Leaving | Who::Removed => false,
        }
    }

    fn trust(&self, node: NodeId) {
        let now = Instant::now();
        let mut told = self.told.lock();
        told.retain(|_, until| now < *until);
        if told.len() < MAX_TOLD {
            told.insert(node, now + WORD_COUNTS);
        }
    }

    /// What it is that connects, as far as can be said at once.
    fn known(&self, node: NodeId) -> Option<Admission> {
        match self.who(node) {
            Who::Guest | Who::Joining | Who::Member | Who::Leaving => Some(Admission::Known),
            Who::Removed => Some(Admission::Removed),
            Who::Stranger => None,
        }
    }

    /// Waits until the copy here names the node, or a member that is known here does.
    async fn look_up(self: Arc<Self>, node: NodeId) -> Admission {
        let mut control = self.control.clone();
        loop {
            if let Some(admission) = self.known(node) {
                return admission;
            }
            let asked = self.mesh.peers().into_iter().map(|peer| peer.incarnation.node);
            let asked: Vec<_> = asked.filter(|peer| *peer != node && self.is_trusted(*peer)).collect();
            let said = asked.into_iter().map(|peer| ask_standing(self.mesh.as_ref(), peer, node, ASK_AGAIN));
            let said = futures::future::join_all(said).await;
            if said.into_iter().flatten().any(Who::may_connect) {
                tracing::info!(%node, "members say of an unknown node that it is one, too");
                self.trust(node);
                continue;
            }
            let _again = tokio::time::timeout(ASK_AGAIN, control.changed()).await;
        }
    }
}

/// The authority as the mesh asks it.
pub(crate) struct Gate(pub(crate) Arc<Authority>);

impl MeshGuard for Gate {
    fn admission(&self, node: NodeId) -> BoxFuture<'static, Admission> {
        if let Some(admission) = self.0.known(node) {
            return futures::future::ready(admission).boxed();
        }
        let Ok(place) = Arc::clone(&self.0.looking_up).try_acquire_owned() else {
            return futures::future::ready(Admission::Stranger).boxed();
        };
        let found = Arc::clone(&self.0).look_up(node);
        async move {
            let _place = place;
            tokio::time::timeout(LOOK_UP, found).await.unwrap_or(Admission::Stranger)
        }
        .boxed()
    }

    fn allows(&self, from: NodeId, kind: RequestKind) -> bool {
        self.0.who(from).may(kind)
    }
}
