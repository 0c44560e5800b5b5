//! Members come, report, are told what is wanted of them, and leave.

use crate::limits::{MAX_ADDRESSES, MAX_MEMBERS, MAX_NAME_BYTES, MAX_NODES};
use crate::{AskedBy, ControlApplied, ControlRefusal, ControlState, MemberEvent, MemberRecord, VersionRange};
use octopussy_core::ids::NodeId;
use octopussy_core::lineage::Lineage;
use octopussy_core::ports::{Asker, MemberDesired, MemberRole, PrincipalRole, TokenUse};
use octopussy_core::time::Timestamp;
use std::net::SocketAddr;

impl MemberRecord {
    /// Refuses what cannot be, and raises a capacity of zero to the least there is.
    pub(crate) fn tidy(&mut self) -> Result<(), ControlRefusal> {
        named("name", &self.name)?;
        self.zone.as_deref().map_or(Ok(()), |zone| named("zone", zone))?;
        if self.addresses.len() > MAX_ADDRESSES {
            return Err(ControlRefusal::TooMany { what: "addresses of a node".to_owned(), limit: MAX_ADDRESSES });
        }
        if self.versions.min > self.versions.max {
            return Err(ControlRefusal::BadMember("its oldest version is newer than its newest".to_owned()));
        }
        self.capacity = self.capacity.max(1);
        Ok(())
    }
}

/// Whether `text` may be the name of something.
fn named(what: &str, text: &str) -> Result<(), ControlRefusal> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
        return Err(ControlRefusal::BadMember(format!(
            "a {what} has 1 to {MAX_NAME_BYTES} bytes and no control characters"
        )));
    }
    Ok(())
}

impl ControlState {
    pub(crate) fn join(
        &mut self,
        mut member: MemberRecord,
        digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        if self.departed.contains_key(&member.id) {
            return Err(ControlRefusal::Departed(member.id));
        }
        let now = self.at(now);
        let token_id = self.usable_token(digest, member.id, now)?;
        let role = self.tokens.get(&token_id).map_or(member.role, |token| token.role);
        let known_role = self.members.get(&member.id).map_or(member.role, |known| known.role);
        if member.role != role || known_role != role {
            return Err(ControlRefusal::WrongRole { token: role });
        }
        member.tidy()?;
        self.compatible(member.id, member.versions)?;
        let record = match self.members.get(&member.id) {
            Some(known) => MemberRecord { addresses: member.addresses, versions: member.versions, ..known.clone() },
            None => {
                self.room_for(&member)?;
                MemberRecord { desired: MemberDesired::Active, joined_at: now, ..member }
            }
        };
        self.pass(now);
        self.use_token(&token_id, record.id);
        if !self.members.contains_key(&record.id) {
            // Whoever may let nodes in has made the token.
            let by = self.tokens.get(&token_id).map(|token| AskedBy {
                node: token.made_by.node,
                asker: Asker::Principal { name: token.made_by.principal.clone(), role: PrincipalRole::Admin },
            });
            self.note_change(record.id, record.name.clone(), MemberEvent::Joined(record.role), by);
        }
        self.members.insert(record.id, record.clone());
        Ok(ControlApplied::Member(Box::new(record)))
    }

    fn room_for(&self, member: &MemberRecord) -> Result<(), ControlRefusal> {
        if self.members.values().any(|other| other.name == member.name) {
            return Err(ControlRefusal::NameTaken(member.name.clone()));
        }
        if self.members.len() >= MAX_MEMBERS {
            return Err(ControlRefusal::TooMany { what: "members".to_owned(), limit: MAX_MEMBERS });
        }
        if self.members.len() + self.departed.len() >= MAX_NODES {
            return Err(ControlRefusal::TooMany { what: "nodes, past ones included".to_owned(), limit: MAX_NODES });
        }
        Ok(())
    }

    pub(crate) fn report(
        &mut self,
        node: NodeId,
        addresses: Vec<SocketAddr>,
        capacity: u32,
        zone: Option<String>,
        versions: VersionRange,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        let known = self.members.get(&node).ok_or(ControlRefusal::UnknownMember(node))?;
        let mut record = MemberRecord { addresses, capacity, zone, versions, ..known.clone() };
        record.tidy()?;
        self.compatible(node, versions)?;
        self.pass(now);
        self.members.insert(node, record.clone());
        Ok(ControlApplied::Member(Box::new(record)))
    }

    pub(crate) fn start(
        &mut self,
        node: NodeId,
        lineage: &Lineage,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        if !self.members.contains_key(&node) {
            return Err(ControlRefusal::UnknownMember(node));
        }
        if !lineage.is_sound() {
            return Err(ControlRefusal::BadMember("its lives are not told in their order".to_owned()));
        }
        let met = lineage.remembered(self.lives.get(&node), self.at(now)).map_err(ControlRefusal::OtherLife)?;
        self.pass(now);
        self.lives.insert(node, met);
        Ok(ControlApplied::Done)
    }

    pub(crate) fn set_desired(
        &mut self,
        node: NodeId,
        desired: MemberDesired,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        let known = self.members.get(&node).ok_or(ControlRefusal::UnknownMember(node))?;
        let goes = desired != MemberDesired::Active && known.role == MemberRole::Full;
        if goes && !self.members.values().any(|other| other.id != node && other.holds_replicas()) {
            return Err(ControlRefusal::LastMember);
        }
        let record = MemberRecord { desired, ..known.clone() };
        self.pass(now);
        self.members.insert(node, record.clone());
        match desired {
            MemberDesired::Leaving => {
                self.withdraw_tokens_of(node);
                self.promote_known_keys();
            }
            // Whoever is called back was not stolen.
            MemberDesired::Active | MemberDesired::Draining => {
                self.stolen.remove(&node);
            }
        }
        Ok(ControlApplied::Member(Box::new(record)))
    }

    pub(crate) fn remove(&mut self, node: NodeId, now: Timestamp) -> Result<ControlApplied, ControlRefusal> {
        let known = self.members.get(&node).ok_or(ControlRefusal::UnknownMember(node))?;
        match known.desired {
            MemberDesired::Active | MemberDesired::Draining => return Err(ControlRefusal::NotLeaving(node)),
            MemberDesired::Leaving => {}
        }
        let shards = self.replicas_of(node);
        if shards > 0 {
            return Err(ControlRefusal::HoldsReplicas { shards });
        }
        let record = known.clone();
        self.pass(now);
        self.members.remove(&node);
        self.lives.remove(&node);
        self.departed.insert(node, self.now);
        let by = self.sent_away_by(node);
        self.note_change(node, record.name.clone(), MemberEvent::Removed, by);
        self.withdraw_tokens_of(node);
        self.revoke_own_tokens_of(node);
        self.forget_knower(node);
        self.promote_known_keys();
        // A single-use token of a node that has left can serve nobody any more.
        self.tokens.retain(|_, token| token.uses == TokenUse::Timed || !token.used_by.contains(&node));
        for token in self.tokens.values_mut() {
            token.used_by.retain(|user| *user != node);
        }
        Ok(ControlApplied::Member(Box::new(record)))
    }

    /// Whether `node` could work with every other member if it understood `versions`.
    fn compatible(&self, node: NodeId, versions: VersionRange) -> Result<(), ControlRefusal> {
        let Some(ours) = VersionRange::common(self.members.values().filter(|m| m.id != node).map(|m| m.versions))
        else {
            return Ok(());
        };
        if versions.max < ours.min || versions.min > ours.max {
            return Err(ControlRefusal::Incompatible {
                theirs_min: versions.min,
                theirs_max: versions.max,
                ours_min: ours.min,
                ours_max: ours.max,
            });
        }
        Ok(())
    }
}
