//! What must always be true of a state.

use crate::keys::limit_of;
use crate::limits::{MAX_API_TOKENS, MAX_HISTORY, MAX_MEMBERS, MAX_NODES, MAX_SECRETS, MAX_TOKENS};
use crate::{ControlState, Fault, JoinToken, MemberRecord, SharedKey, SharedKeyPhase};
use octopussy_core::ids::{NodeId, ShardCount};
use octopussy_core::ports::{KeyKind, TokenUse};
use std::collections::BTreeSet;

macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(Fault(format!($($why)+)));
        }
    };
}

impl ControlState {
    /// Checks everything that must be true, whatever commands were applied. Meant for tests, for a snapshot that was
    /// received, and for a start.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn check(&self) -> Result<(), Fault> {
        ensure!(self.table_version <= self.version, "the table is newer than the state");
        let Some(cluster) = &self.cluster else {
            ensure!(*self == Self::default(), "there is something before there is a cluster");
            return Ok(());
        };
        let shards = cluster.shards.get();
        ensure!(shards <= ShardCount::MAX, "{shards} shards");
        ensure!(cluster.replication >= 1, "no replicas");
        ensure!(self.table.len() == usize::from(shards), "{} places for {shards} shards", self.table.len());
        self.check_members()?;
        self.check_table()?;
        self.check_tokens()?;
        self.check_keys()?;
        ensure!(self.api_tokens.len() <= MAX_API_TOKENS, "{} tokens of the interfaces", self.api_tokens.len());
        ensure!(self.history.len() <= MAX_HISTORY, "{} changes of members are remembered", self.history.len());
        ensure!(self.secrets.len() <= MAX_SECRETS, "{} secrets", self.secrets.len());
        Ok(())
    }

    fn check_members(&self) -> Result<(), Fault> {
        ensure!(self.members.len() <= MAX_MEMBERS, "{} members", self.members.len());
        ensure!(self.members.len() + self.departed.len() <= MAX_NODES, "too many nodes are remembered");
        ensure!(self.members.values().any(MemberRecord::holds_replicas), "no member may hold replicas");
        let mut names = BTreeSet::new();
        for (id, member) in &self.members {
            ensure!(*id == member.id, "node {id} is filed under another's id");
            ensure!(names.insert(&member.name), "two members are called '{}'", member.name);
            ensure!(!self.departed.contains_key(id), "node {id} is a member and has left");
            ensure!(member.capacity >= 1, "node {id} has no weight");
        }
        ensure!(self.versions().is_some_and(|range| range.min <= range.max), "no version is understood by all");
        ensure!(self.lives.keys().all(|id| self.members.contains_key(id)), "the start of a stranger is remembered");
        Ok(())
    }

    fn check_table(&self) -> Result<(), Fault> {
        for (shard, place) in self.shards() {
            for set in std::iter::once(&place.current).chain(&place.target) {
                self.check_place(set).map_err(|reason| Fault(format!("shard {shard}: {reason}")))?;
            }
            ensure!(
                place.former.iter().all(|node| self.members.contains_key(node)),
                "shard {shard} may be at a node that is no member"
            );
            ensure!(place.target.as_ref() != Some(&place.current), "shard {shard} moves to where it is");
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), Fault> {
        let known = |node: &NodeId| self.members.contains_key(node) || self.departed.contains_key(node);
        ensure!(self.stolen.keys().all(known), "a stranger was stolen");
        ensure!(self.stolen.values().all(|kinds| !kinds.is_empty()), "a theft without consequences is remembered");
        for (kind, keys) in &self.keys {
            let count = |wanted: fn(&SharedKeyPhase) -> bool| keys.iter().filter(|key| wanted(&key.phase)).count();
            let active = count(|phase| matches!(phase, SharedKeyPhase::Active));
            ensure!(active == 1, "{active} keys of {kind:?} sign");
            let offered = count(|phase| matches!(phase, SharedKeyPhase::Offered { .. }));
            ensure!(offered <= 1, "{offered} keys of {kind:?} are offered");
            ensure!(keys.len() <= limit_of(*kind), "{} keys of {kind:?}", keys.len());
            let told = |key: &SharedKey| key.public.is_empty() != (*kind == KeyKind::Authority);
            ensure!(keys.iter().all(told), "a key of {kind:?} has no certificate, or one that it should not have");
            let tags: BTreeSet<_> = keys.iter().map(|key| key.tag).collect();
            ensure!(tags.len() == keys.len(), "a key of {kind:?} is there twice");
            for key in keys {
                if let SharedKeyPhase::Offered { known_by, .. } = &key.phase {
                    let members = known_by.iter().all(|node| self.members.contains_key(node));
                    ensure!(members, "a stranger has a key of {kind:?}");
                }
            }
        }
        Ok(())
    }

    fn check_tokens(&self) -> Result<(), Fault> {
        ensure!(self.tokens.len() <= MAX_TOKENS, "{} tokens", self.tokens.len());
        for (id, token) in &self.tokens {
            ensure!(*id == JoinToken::id_of(&token.digest), "token {id} is filed under another's id");
            ensure!(self.members.contains_key(&token.made_by.node), "token {id} was made by a stranger");
            ensure!(token.uses == TokenUse::Timed || token.used_by.len() <= 1, "token {id} was used twice");
            let users: BTreeSet<_> = token.used_by.iter().collect();
            ensure!(users.len() == token.used_by.len(), "token {id} counts a node twice");
            ensure!(users.iter().all(|user| self.members.contains_key(user)), "token {id} was used by a stranger");
        }
        Ok(())
    }
}
