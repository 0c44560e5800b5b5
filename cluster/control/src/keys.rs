//! The keys that the members share to sign and verify, and how one takes the place of another without a gap: it is offered, every full
//! member takes it up, then it signs; the one before verifies for as long as something that it signed may still be on its way.

use crate::limits::{
    AUTHORITY_KEPT, AUTHORITY_KEPT_AFTER_THEFT, KEY_OFFER_LIMIT, MAX_AUTHORITIES, MAX_CERTIFICATE_BYTES, MAX_KEYS,
    MAX_SECRET_BYTES, MESSAGE_KEY_KEPT, TOKEN_KEY_KEPT, TOKEN_KEY_KEPT_AFTER_THEFT,
};
use crate::{ControlApplied, ControlRefusal, ControlState, SealedSecret};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{KeyKind, MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// Names a key without telling it: it follows from the key.
pub type KeyTag = [u8; 16];

/// Where a shared key is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SharedKeyPhase {
    /// Members take it up to verify with it. Nothing is signed with it yet.
    Offered {
        /// Who has it.
        known_by: BTreeSet<NodeId>,
        /// Whether the key before is in the hands of whoever stole a member: tokens that it signs are good for minutes only.
        hurried: bool,
    },
    /// It signs.
    Active,
    /// Another signs; what this one signed is still good.
    Retired {
        /// Until then.
        until: Timestamp,
    },
}

/// A key that the members share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedKey {
    /// Which one.
    pub tag: KeyTag,
    /// The key, sealed.
    pub sealed: SealedSecret,
    /// What everybody may know of it: an authority's certificate, in DER. Other keys have nothing of the kind.
    pub public: Vec<u8>,
    /// When it was offered.
    pub made_at: Timestamp,
    /// Where it is in its life.
    pub phase: SharedKeyPhase,
}

/// For how long a key of this kind verifies after another has taken its place.
#[must_use]
pub const fn kept_for(kind: KeyKind) -> Duration {
    match kind {
        KeyKind::Message => MESSAGE_KEY_KEPT,
        KeyKind::Token => TOKEN_KEY_KEPT,
        KeyKind::Authority => AUTHORITY_KEPT,
    }
}

/// The same when a thief has the key that is replaced: members have new tokens and certificates within seconds. Messages reach no
/// member from whoever is none, so that their keys may stay as long as ever.
const fn kept_after_theft(kind: KeyKind) -> Duration {
    match kind {
        KeyKind::Message => MESSAGE_KEY_KEPT,
        KeyKind::Token => TOKEN_KEY_KEPT_AFTER_THEFT,
        KeyKind::Authority => AUTHORITY_KEPT_AFTER_THEFT,
    }
}

/// How many keys of this kind there may be at once.
pub(crate) const fn limit_of(kind: KeyKind) -> usize {
    match kind {
        KeyKind::Message | KeyKind::Token => MAX_KEYS,
        KeyKind::Authority => MAX_AUTHORITIES,
    }
}

/// Whether this may be told of a key of this kind.
fn check_public(kind: KeyKind, public: &[u8]) -> Result<(), ControlRefusal> {
    let bad = |why: &str| Err(ControlRefusal::BadSecret(why.to_owned()));
    match (kind, public.is_empty()) {
        (KeyKind::Authority, true) => bad("an authority has a certificate"),
        (KeyKind::Message | KeyKind::Token, false) => bad("nobody is told anything of a key that only members have"),
        (KeyKind::Authority, false) if public.len() > MAX_CERTIFICATE_BYTES => {
            Err(ControlRefusal::BadSecret(format!("its certificate has at most {MAX_CERTIFICATE_BYTES} bytes")))
        }
        (KeyKind::Authority, false) | (KeyKind::Message | KeyKind::Token, true) => Ok(()),
    }
}

impl SharedKey {
    const fn is_active(&self) -> bool {
        matches!(self.phase, SharedKeyPhase::Active)
    }

    const fn is_offered(&self) -> bool {
        matches!(self.phase, SharedKeyPhase::Offered { .. })
    }

    const fn is_retired(&self) -> bool {
        matches!(self.phase, SharedKeyPhase::Retired { .. })
    }

    /// Whether nothing that it signed can be good any more.
    fn is_spent(&self, now: Timestamp) -> bool {
        match self.phase {
            SharedKeyPhase::Retired { until } => until <= now,
            SharedKeyPhase::Active | SharedKeyPhase::Offered { .. } => false,
        }
    }
}

impl ControlState {
    /// The keys of this kind, the oldest first.
    #[must_use]
    pub fn keys_of(&self, kind: KeyKind) -> &[SharedKey] {
        self.keys.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The key of this kind that signs.
    #[must_use]
    pub fn active_key(&self, kind: KeyKind) -> Option<&SharedKey> {
        self.keys_of(kind).iter().find(|key| key.is_active())
    }

    /// The key of this kind that is offered and does not sign yet.
    #[must_use]
    pub fn offered_key(&self, kind: KeyKind) -> Option<&SharedKey> {
        self.keys_of(kind).iter().find(|key| key.is_offered())
    }

    /// Whether a `Tick` at `now` would forget a key.
    pub(crate) fn has_spent_keys(&self, now: Timestamp) -> bool {
        self.keys.values().flatten().any(|key| key.is_spent(now))
    }

    pub(crate) fn forget_keys(&mut self) {
        let now = self.now;
        for keys in self.keys.values_mut() {
            keys.retain(|key| !key.is_spent(now));
        }
    }

    pub(crate) fn offer_key(
        &mut self,
        kind: KeyKind,
        tag: KeyTag,
        sealed: SealedSecret,
        public: Vec<u8>,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        let keys = self.keys_of(kind);
        if keys.iter().any(|key| key.tag == tag) {
            self.pass(now);
            return Ok(ControlApplied::Done);
        }
        if self.offered_key(kind).is_some() {
            return Err(ControlRefusal::RotationUnderWay);
        }
        if sealed.sealed.len() > MAX_SECRET_BYTES {
            return Err(ControlRefusal::BadSecret(format!("it has at most {MAX_SECRET_BYTES} bytes, sealed")));
        }
        check_public(kind, &public)?;
        let (at, limit) = (self.at(now), limit_of(kind));
        let full = keys.iter().filter(|key| !key.is_spent(at)).count() >= limit;
        // What a thief can use is always replaced: the oldest of those that will be good for minutes only makes room.
        let makes_room = self.owes_key(kind) && kept_after_theft(kind) < kept_for(kind);
        if full && !makes_room {
            return Err(ControlRefusal::TooMany { what: "keys of a kind at once".to_owned(), limit });
        }
        self.pass(now);
        self.forget_keys();
        let now = self.now;
        let hurried = self.answer_theft(kind);
        let keys = self.keys.entry(kind).or_default();
        if full && let Some(oldest) = keys.iter().position(SharedKey::is_retired) {
            keys.remove(oldest);
        }
        // The first one is the founder's, which signs with it already.
        let phase = if keys.is_empty() {
            SharedKeyPhase::Active
        } else {
            SharedKeyPhase::Offered { known_by: BTreeSet::new(), hurried }
        };
        keys.push(SharedKey { tag, sealed, public, made_at: now, phase });
        Ok(ControlApplied::Done)
    }

    pub(crate) fn know_key(
        &mut self,
        kind: KeyKind,
        tag: KeyTag,
        node: NodeId,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        if !self.members.contains_key(&node) {
            return Err(ControlRefusal::UnknownMember(node));
        }
        let keys = self.keys.get_mut(&kind).map(Vec::as_mut_slice).unwrap_or_default();
        let key = keys.iter_mut().find(|key| key.tag == tag).ok_or(ControlRefusal::UnknownKey)?;
        // Whoever tells late that it has a key that signs already tells nothing new.
        if let SharedKeyPhase::Offered { known_by, .. } = &mut key.phase {
            known_by.insert(node);
        }
        self.pass(now);
        self.promote_known_keys();
        Ok(ControlApplied::Done)
    }

    pub(crate) fn activate_key(
        &mut self,
        kind: KeyKind,
        tag: KeyTag,
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        let now = self.at(now);
        let offered = self.offered_key(kind).filter(|key| key.tag == tag).ok_or(ControlRefusal::UnknownKey)?;
        if now < offered.made_at.plus(KEY_OFFER_LIMIT) {
            return Err(ControlRefusal::RotationUnderWay);
        }
        self.pass(now);
        self.promote(kind);
        Ok(ControlApplied::Done)
    }

    pub(crate) fn end_key_overlap(&mut self, kind: KeyKind, now: Timestamp) -> Result<ControlApplied, ControlRefusal> {
        if self.keys_of(kind).is_empty() {
            return Err(ControlRefusal::UnknownKey);
        }
        self.pass(now);
        self.promote(kind);
        if let Some(keys) = self.keys.get_mut(&kind) {
            keys.retain(SharedKey::is_active);
        }
        Ok(ControlApplied::Done)
    }

    /// Lets keys sign that every full member has which is to stay.
    pub(crate) fn promote_known_keys(&mut self) {
        let counts =
            |member: &&crate::MemberRecord| member.role == MemberRole::Full && member.desired != MemberDesired::Leaving;
        let needed: Vec<NodeId> = self.members.values().filter(counts).map(|member| member.id).collect();
        let known = |key: &SharedKey| match &key.phase {
            SharedKeyPhase::Offered { known_by, .. } => needed.iter().all(|node| known_by.contains(node)),
            SharedKeyPhase::Active | SharedKeyPhase::Retired { .. } => false,
        };
        let ready: Vec<KeyKind> =
            self.keys.iter().filter(|(_, keys)| keys.iter().any(known)).map(|(kind, _)| *kind).collect();
        for kind in ready {
            self.promote(kind);
        }
    }

    /// Forgets what a node that has left had told of keys.
    pub(crate) fn forget_knower(&mut self, node: NodeId) {
        for key in self.keys.values_mut().flatten() {
            if let SharedKeyPhase::Offered { known_by, .. } = &mut key.phase {
                known_by.remove(&node);
            }
        }
    }

    /// Lets the offered key sign, when there is one, and the one before only verify.
    fn promote(&mut self, kind: KeyKind) {
        let now = self.now;
        let Some(keys) = self.keys.get_mut(&kind) else { return };
        let hurried = keys.iter().find_map(|key| match key.phase {
            SharedKeyPhase::Offered { hurried, .. } => Some(hurried),
            SharedKeyPhase::Active | SharedKeyPhase::Retired { .. } => None,
        });
        let Some(hurried) = hurried else { return };
        let kept = if hurried { kept_after_theft(kind) } else { kept_for(kind) };
        for key in keys {
            key.phase = match key.phase {
                SharedKeyPhase::Offered { .. } => SharedKeyPhase::Active,
                SharedKeyPhase::Active => SharedKeyPhase::Retired { until: now.plus(kept) },
                SharedKeyPhase::Retired { until } => SharedKeyPhase::Retired { until: until.min(now.plus(kept)) },
            };
        }
    }

    /// A member is in somebody else's hands: it leaves, nobody joins with a token that it may know, and once it is out, every
    /// key that it knows is replaced.
    pub(crate) fn stolen(&mut self, node: NodeId, now: Timestamp) -> Result<ControlApplied, ControlRefusal> {
        let applied = self.set_desired(node, MemberDesired::Leaving, now)?;
        self.tokens.clear();
        self.stolen.insert(node, KeyKind::ALL.into_iter().collect());
        Ok(applied)
    }

    /// Whether a key of this kind is to be replaced because a member was stolen that is out now.
    #[must_use]
    pub fn owes_key(&self, kind: KeyKind) -> bool {
        let out =
            |(node, kinds): (&NodeId, &BTreeSet<KeyKind>)| kinds.contains(&kind) && !self.members.contains_key(node);
        self.stolen.iter().any(out)
    }

    /// Notes that a key of this kind is offered that no stolen member will see; says whether one was owed.
    fn answer_theft(&mut self, kind: KeyKind) -> bool {
        let owed = self.owes_key(kind);
        let members = &self.members;
        for (_, kinds) in self.stolen.iter_mut().filter(|(node, _)| !members.contains_key(node)) {
            kinds.remove(&kind);
        }
        self.stolen.retain(|_, kinds| !kinds.is_empty());
        owed
    }
}
