use super::identity::Identity;
use foca::{Member, State};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, Reach};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// How many nodes that were removed for good are remembered, so that late gossip cannot bring them back. Removals are rare,
/// acts of an operator, and the gossip of one has died out long before a thousand more.
const MAX_FORGOTTEN: usize = 1_024;

/// What is known of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its latest life.
    pub incarnation: Incarnation,
    /// Whether it answers.
    pub reach: Reach,
    /// Since when, on the clock of this node's inputs.
    pub since: Duration,
    /// Where it listens, where it told.
    pub address: Option<SocketAddr>,
}

/// What is known of a member has changed to this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberChange {
    /// What it was; `None` for a member that was unknown.
    pub before: Option<Entry>,
    /// What it is.
    pub after: Entry,
}

/// What is known of every member. It outlives the protocol's own list: what is down stays down without interruption when
/// that list forgets or is started anew.
#[derive(Debug)]
pub(super) struct Table {
    me: NodeId,
    entries: BTreeMap<NodeId, Entry>,
    forgotten: VecDeque<NodeId>,
}

impl Table {
    pub(super) const fn new(me: NodeId) -> Self {
        Self { me, entries: BTreeMap::new(), forgotten: VecDeque::new() }
    }

    pub(super) fn get(&self, node: NodeId) -> Option<&Entry> {
        self.entries.get(&node)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &Entry)> {
        self.entries.iter().map(|(node, entry)| (*node, entry))
    }

    /// Follows the protocol's list; tells `changed` of every difference.
    pub(super) fn follow<'a>(
        &mut self,
        members: impl Iterator<Item = &'a Member<Identity>>,
        now: Duration,
        mut changed: impl FnMut(MemberChange),
    ) {
        for member in members {
            let identity = member.id();
            if identity.node == self.me || self.forgotten.contains(&identity.node) {
                continue;
            }
            let before = self.entries.get(&identity.node).copied();
            let reach = match member.state() {
                State::Alive => Reach::Alive,
                State::Suspect => Reach::Suspect,
                State::Down => Reach::Down,
            };
            let since = before.filter(|entry| entry.reach == reach).map_or(now, |entry| entry.since);
            let address = identity.address.or_else(|| before.and_then(|entry| entry.address));
            let after = Entry { incarnation: identity.incarnation(), reach, since, address };
            if before != Some(after) {
                self.entries.insert(identity.node, after);
                changed(MemberChange { before, after });
            }
        }
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.entries.remove(&node);
        if !self.forgotten.contains(&node) {
            if self.forgotten.len() == MAX_FORGOTTEN {
                self.forgotten.pop_front();
            }
            self.forgotten.push_back(node);
        }
    }

    pub(super) fn is_forgotten(&self, node: NodeId) -> bool {
        self.forgotten.contains(&node)
    }
}
