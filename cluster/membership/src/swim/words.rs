//! What is taken of what a peer says.
//!
//! A node speaks for itself: which life of it runs, under which identity, and that it leaves. About another node a peer may only
//! suspect. While this node is connected with the other, only the other itself can show a new identity, and a peer's word that it is down
//! is taken as a suspicion, about which the other is asked; it counts once the other has not answered. Without a connection the word of others is all there is, and it holds
//! until the other is heard itself: then whatever was claimed of it before gives way. Of nodes that are no members nothing is kept.

use super::codec::WireHeader;
use super::core::Swim;
use super::error::SwimError;
use super::identity::Identity;
use super::output::Output;
use super::table::Entry;
use foca::{Member, Message, State, Timer};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Reach;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often this node takes a new identity at most because others call it down: one is known everywhere within that time.
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// How long a suspect that is connected has to answer before the word of others that it is down counts: many times the way there and
/// back, and less than it takes until its connection is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A datagram whose claims have been judged.
pub(super) struct Sifted {
    /// What the protocol is given.
    pub(super) packet: Vec<u8>,
    /// Who was called down, and is asked.
    pub(super) doubted: Vec<NodeId>,
}

impl Swim {
    /// Of nodes that are none of these nothing is kept that others say.
    pub fn set_members(&mut self, members: BTreeSet<NodeId>) {
        self.roster = Some(members);
    }

    /// What is taken of a datagram of `from`.
    pub(super) fn sift(
        &mut self,
        now: Duration,
        from: NodeId,
        packet: &[u8],
        out: &mut Vec<Output>,
    ) -> Result<Sifted, SwimError> {
        let (header, rest): (WireHeader, _) = postcard::take_from_bytes(packet).map_err(SwimError::Malformed)?;
        let head = packet.len() - rest.len();
        if self.connected.get(&from).is_some_and(|boot| *boot != header.src.boot) {
            return Err(SwimError::Sender);
        }
        if matches!(header.message, Message::TurnUndead) && !self.may_renew(now) {
            return Err(SwimError::TooOften);
        }
        self.hear_itself(&header.src, out);
        let mut sifted = Sifted { packet: packet.get(..head).unwrap_or_default().to_vec(), doubted: Vec::new() };
        let Some((count, mut rest)) = rest.split_first_chunk::<2>() else {
            // What is left is nothing, or a single byte that the protocol refuses.
            sifted.packet.extend(rest);
            return Ok(sifted);
        };
        let mut taken = Vec::new();
        for _ in 0..u16::from_be_bytes(*count) {
            let (member, after): (Member<Identity>, _) =
                postcard::take_from_bytes(rest).map_err(SwimError::Malformed)?;
            rest = after;
            taken.extend(self.word(now, from, member, &mut sifted.doubted));
        }
        let count = u16::try_from(taken.len()).unwrap_or(u16::MAX);
        sifted.packet.extend(count.to_be_bytes());
        for member in &taken {
            sifted.packet = postcard::to_extend(member, sifted.packet).map_err(SwimError::Malformed)?;
        }
        Ok(sifted)
    }

    /// What is taken of a list that `from` sends.
    pub(super) fn words(
        &mut self,
        now: Duration,
        from: NodeId,
        members: Vec<Member<Identity>>,
        out: &mut Vec<Output>,
    ) -> (Vec<Member<Identity>>, Vec<NodeId>) {
        let own = members.iter().find(|member| member.id().node == from && self.is_current(member.id()));
        if let Some(own) = own.map(|member| *member.id()) {
            self.hear_itself(&own, out);
        }
        let mut doubted = Vec::new();
        let taken = members.into_iter().filter_map(|member| self.word(now, from, member, &mut doubted)).collect();
        (taken, doubted)
    }

    /// What is taken of what `from` says of a node; who is to be asked about it is added to `doubted`.
    fn word(
        &self,
        now: Duration,
        from: NodeId,
        member: Member<Identity>,
        doubted: &mut Vec<NodeId>,
    ) -> Option<Member<Identity>> {
        let (identity, node) = (*member.id(), member.id().node);
        if node == from {
            return self.is_current(&identity).then_some(member);
        }
        if node == self.node() {
            let refutable = match member.state() {
                State::Suspect => true,
                State::Down => self.may_renew(now),
                State::Alive => false,
            };
            return (identity == *self.identity() && refutable).then_some(member);
        }
        if self.roster.as_ref().is_some_and(|roster| !roster.contains(&node)) {
            return None;
        }
        if !self.connected.contains_key(&node) {
            return Some(member);
        }
        let known = self.known(node).filter(|known| *known.id() == identity)?;
        if member.state() != State::Alive && known.state() == State::Alive {
            doubted.push(node);
        }
        let suspect = |entry: &Entry| entry.reach == Reach::Suspect && now.saturating_sub(entry.since) >= ANSWER_WITHIN;
        match member.state() {
            State::Down if !self.table.get(node).is_some_and(suspect) => {
                Some(Member::new(identity, member.incarnation(), State::Suspect))
            }
            State::Alive | State::Suspect | State::Down => Some(member),
        }
    }

    /// Whether an identity is of the life of its node that is connected, if one is.
    fn is_current(&self, identity: &Identity) -> bool {
        self.connected.get(&identity.node).is_none_or(|boot| *boot == identity.boot)
    }

    /// A connected node shows who it is: what others claimed of it that is beyond that is not true.
    fn hear_itself(&mut self, own: &Identity, out: &mut Vec<Output>) {
        let beyond = |known: &Member<Identity>| foca::Identity::win_addr_conflict(known.id(), own);
        if self.connected.contains_key(&own.node) && self.known(own.node).is_some_and(|known| beyond(&known)) {
            self.unlearn(own.node, false, out);
        }
    }

    /// Forgets what the protocol knows of a node, and has others forget it if so wished; the table stays.
    pub(super) fn unlearn(&mut self, node: NodeId, tell: bool, out: &mut Vec<Output>) {
        let Some(identity) = self.known(node).map(|member| *member.id()) else { return };
        let down = Member::down(identity);
        let _ = self.with_foca(out, |foca, effects| foca.apply_many(std::iter::once(down), tell, effects));
        let _ = self.with_foca(out, |foca, effects| foca.handle_timer(Timer::RemoveDown(identity), effects));
    }

    fn known(&self, node: NodeId) -> Option<Member<Identity>> {
        self.foca.iter_membership_state().find(|member| member.id().node == node).cloned()
    }

    fn may_renew(&self, now: Duration) -> bool {
        self.renewed_at.is_none_or(|at| now.saturating_sub(at) >= RENEW_EVERY)
    }

    /// Asks those who were called down whether they answer.
    pub(super) fn doubt_all(&self, doubted: Vec<NodeId>, out: &mut Vec<Output>) {
        for node in doubted {
            self.doubt(node, out);
        }
    }

    /// Has everybody hear it from this node itself that it goes on under a new identity.
    pub(super) fn announce_renewal(&mut self, now: Duration, out: &mut Vec<Output>) {
        let renewal = self.identity().renewal;
        if std::mem::replace(&mut self.announced, renewal) != renewal {
            self.renewed_at = Some(now);
            self.tell_all(vec![self.myself()], out);
        }
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
