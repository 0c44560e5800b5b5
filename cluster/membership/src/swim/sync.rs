//! Full states, which find what gossip has missed.

use super::core::Swim;
use super::error::SwimError;
use super::exchange::{Answer, MAX_MEMBERS, Request, decode_answer, decode_request, digest, encode, encode_request};
use super::identity::Identity;
use super::output::{Output, TimerKind};
use bytes::Bytes;
use foca::{Member, State};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Incarnation;
use rand::seq::IteratorRandom;
use std::collections::HashMap;
use std::time::Duration;

impl Swim {
    /// Answers a request of `from` on the membership lane.
    ///
    /// # Errors
    /// [`SwimError::Codec`], [`SwimError::TooMany`], [`SwimError::Sender`] and [`SwimError::Left`]; nothing was applied.
    /// [`SwimError::Protocol`] when foca refused a part.
    pub fn on_sync_request(
        &mut self,
        now: Duration,
        from: NodeId,
        frame: &[u8],
        out: &mut Vec<Output>,
    ) -> Result<Bytes, SwimError> {
        if self.left {
            return Err(SwimError::Left);
        }
        let answer = match decode_request(frame)? {
            Request::Compare { me, .. } if me.node != from => return Err(SwimError::Sender),
            Request::Compare { me, digest: theirs } => {
                self.apply(now, from, vec![Member::alive(me)], out)?;
                let states = self.full_state();
                if digest(&states) == theirs {
                    self.unsynced.remove(&from);
                    Answer::Same
                } else {
                    Answer::Differs(states)
                }
            }
            Request::Tell(states) => {
                self.unsynced.remove(&from);
                self.apply(now, from, states, out)?;
                Answer::Same
            }
            Request::Doubt(suspicion) if suspicion.id().node != self.node() => return Err(SwimError::Sender),
            Request::Doubt(suspicion) => {
                let doubted = suspicion.incarnation();
                let meant = suspicion.id() == self.identity();
                self.apply(now, from, vec![suspicion], out)?;
                let me = self.myself();
                // Without anyone to gossip to, the new incarnation has not shown in a packet yet.
                let incarnation =
                    if meant { me.incarnation().max(doubted.saturating_add(1)) } else { me.incarnation() };
                Answer::Here(Member::new(*me.id(), incarnation, State::Alive))
            }
        };
        Ok(encode(&answer))
    }

    /// Takes the answer of `from` to an [`Output::Sync`].
    ///
    /// # Errors
    /// As [`Swim::on_sync_request`].
    pub fn on_sync_answer(
        &mut self,
        now: Duration,
        from: NodeId,
        frame: &[u8],
        out: &mut Vec<Output>,
    ) -> Result<(), SwimError> {
        if self.left {
            return Err(SwimError::Left);
        }
        let answer = decode_answer(frame)?;
        self.unsynced.remove(&from);
        match answer {
            Answer::Same => Ok(()),
            Answer::Here(member) if member.id().node != from => Err(SwimError::Sender),
            Answer::Here(member) => self.apply(now, from, vec![member], out),
            Answer::Differs(states) => {
                let applied = self.apply(now, from, states, out);
                out.push(Output::Sync { to: from, request: encode_request(&Request::Tell(self.full_state())) });
                applied
            }
        }
    }

    pub(super) fn compare_with(&self, to: NodeId, out: &mut Vec<Output>) {
        let compare = Request::Compare { me: *self.identity(), digest: digest(&self.full_state()) };
        out.push(Output::Sync { to, request: encode_request(&compare) });
    }

    /// Compares states with a peer that was declared down although it is connected, until it answers or the connection ends.
    ///
    /// An interruption may be long enough for both to declare each other down and too short for the connection to end.
    /// Neither would then talk to the other, and no new connection would bring them together.
    pub(super) fn ask_the_dead(&mut self, peer: Incarnation, out: &mut Vec<Output>) {
        let connected = self.connected.get(&peer.node).is_some_and(|boot| *boot == peer.boot);
        if connected && !self.left && self.settings.sync_on_connect && self.unsynced.insert(peer.node) {
            self.compare_with(peer.node, out);
            self.schedule(super::inputs::SYNC_AGAIN_AFTER, TimerKind::SyncAgain(peer.node), out);
        }
    }

    /// Asks a suspect on a stream whether it answers.
    pub(super) fn doubt(&self, node: NodeId, out: &mut Vec<Output>) {
        let suspect = |member: &&Member<Identity>| member.id().node == node && member.state() == State::Suspect;
        if let Some(suspicion) = self.foca.iter_membership_state().find(suspect) {
            out.push(Output::Sync { to: node, request: encode_request(&Request::Doubt(suspicion.clone())) });
        }
    }

    pub(super) fn sync_with_someone(&mut self, out: &mut Vec<Output>) {
        let Some(every) = self.settings.sync_every else { return };
        self.schedule(every, TimerKind::Sync, out);
        if let Some(to) = self.connected.keys().copied().choose(&mut self.rng) {
            self.compare_with(to, out);
        }
    }

    pub(super) fn sync_again(&self, node: NodeId, out: &mut Vec<Output>) {
        if self.unsynced.contains(&node) {
            self.compare_with(node, out);
            self.schedule(super::inputs::SYNC_AGAIN_AFTER, TimerKind::SyncAgain(node), out);
        }
    }

    /// Tells everybody who is connected on a stream.
    pub(super) fn tell_all(&self, states: Vec<Member<Identity>>, out: &mut Vec<Output>) {
        let request = encode_request(&Request::Tell(states));
        out.extend(self.connected.keys().map(|to| Output::Sync { to: *to, request: request.clone() }));
    }

    /// What this node knows: those that answer first, itself among them.
    fn full_state(&self) -> Vec<Member<Identity>> {
        let me = self.node();
        let others = || self.foca.iter_membership_state().filter(move |member| member.id().node != me);
        let active = others().filter(|member| member.state() != State::Down);
        let down = others().filter(|member| member.state() == State::Down);
        std::iter::once(self.myself())
            .chain(active.chain(down).filter(|member| !self.table.is_forgotten(member.id().node)).cloned())
            .take(MAX_MEMBERS)
            .collect()
    }

    fn apply(
        &mut self,
        now: Duration,
        from: NodeId,
        states: Vec<Member<Identity>>,
        out: &mut Vec<Output>,
    ) -> Result<(), SwimError> {
        let (states, doubted) = self.words(now, from, states, out);
        // A node that knows nobody yet has no news for the others in what one of them tells it.
        let news = self.foca.num_members() > 0;
        // Foca looks for each in a list; most of a full state says what is known already, which a map tells faster.
        let known: HashMap<_, _> = self.foca.iter_membership_state().map(|member| (member.id().node, member)).collect();
        let is_news = |member: &Member<Identity>| {
            let node = member.id().node;
            known.get(&node).is_none_or(|known| *known != member) && !self.table.is_forgotten(node)
        };
        let states: Vec<_> = states.into_iter().filter(is_news).collect();
        let applied = self.with_foca(out, |foca, effects| foca.apply_many(states.into_iter(), news, effects));
        self.mark();
        self.settle(now, out);
        self.doubt_all(doubted, out);
        applied.map_err(SwimError::Protocol)
    }
}
