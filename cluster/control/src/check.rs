//! What must always be true of a state.

use crate::limits::{MAX_MEMBERS, MAX_NODES, MAX_SECRETS, MAX_TOKENS};
use crate::{ControlState, Fault, JoinToken, MemberRecord};
use octopussy_core::ids::ShardCount;
use octopussy_core::ports::TokenUse;
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
        ensure!(self.now >= cluster.founded_at, "time is before the cluster's foundation");
        self.check_members()?;
        self.check_table()?;
        self.check_tokens()?;
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
            ensure!(member.joined_at <= self.now, "node {id} joined in the future");
        }
        ensure!(self.versions().is_some_and(|range| range.min <= range.max), "no version is understood by all");
        ensure!(self.departed.values().all(|at| *at <= self.now), "a node left in the future");
        ensure!(self.lives.keys().all(|id| self.members.contains_key(id)), "the start of a stranger is remembered");
        ensure!(self.lives.values().all(|met| met.since <= self.now), "a node has started in the future");
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

    fn check_tokens(&self) -> Result<(), Fault> {
        ensure!(self.tokens.len() <= MAX_TOKENS, "{} tokens", self.tokens.len());
        for (id, token) in &self.tokens {
            ensure!(*id == JoinToken::id_of(&token.digest), "token {id} is filed under another's id");
            ensure!(token.uses == TokenUse::Timed || token.used_by.len() <= 1, "token {id} was used twice");
            let users: BTreeSet<_> = token.used_by.iter().collect();
            ensure!(users.len() == token.used_by.len(), "token {id} counts a node twice");
            ensure!(users.iter().all(|user| self.members.contains_key(user)), "token {id} was used by a stranger");
        }
        Ok(())
    }
}
