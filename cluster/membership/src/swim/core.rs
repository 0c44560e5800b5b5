use super::codec::{ItemCodec, Notes, PROTOCOL_VERSION};
use super::effects::Effects;
use super::error::SwimError;
use super::identity::Identity;
use super::output::{Output, SwimTimer, TimerKind};
use super::settings::Settings;
use super::table::{Entry, Table};
use foca::{Foca, NoCustomBroadcast, State, Timer, TimerToken};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, Reach};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// SWIM with suspicion (Das, Gupta, Motivala 2002), as foca implements it, for one life of one node.
///
/// Without sockets and clocks: `now` is any monotonic time, the same clock for all inputs. What is to be done is appended to
/// `out`. The same inputs with the same seed give the same outputs.
pub struct Swim {
    pub(super) settings: Settings,
    pub(super) foca: Foca<Identity, ItemCodec, StdRng, NoCustomBroadcast>,
    pub(super) table: Table,
    /// Who is connected, in which life.
    pub(super) connected: BTreeMap<NodeId, u64>,
    /// Newly connected peers with whom the exchange of full states is not done.
    pub(super) unsynced: BTreeSet<NodeId>,
    pub(super) rng: StdRng,
    pub(super) generation: u32,
    pub(super) left: bool,
    /// The members of the cluster, once they are known.
    pub(super) roster: Option<BTreeSet<NodeId>>,
    /// When this node took a new identity last.
    pub(super) renewed_at: Option<Duration>,
    /// Its renewal that everybody was told of.
    pub(super) announced: u32,
    token: TimerToken,
    notes: Arc<Notes>,
    sized_for: usize,
}

impl std::fmt::Debug for Swim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swim").field("identity", self.identity()).field("table", &self.table).finish_non_exhaustive()
    }
}

impl Swim {
    /// A node that knows nobody. `settings` are taken as they are; see [`Settings::check`].
    #[must_use]
    pub fn new(incarnation: Incarnation, address: Option<SocketAddr>, settings: Settings, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let (foca, notes) = fresh(Identity::new(incarnation, address), &settings, &mut rng);
        Self {
            foca,
            table: Table::new(incarnation.node),
            connected: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            rng,
            generation: 0,
            left: false,
            roster: None,
            renewed_at: None,
            announced: 0,
            token: 0,
            notes,
            sized_for: 1,
            settings,
        }
    }

    /// Begins; to be called once.
    pub fn start(&mut self, out: &mut Vec<Output>) {
        if let Some(every) = self.settings.sync_every {
            // Nodes that start together must not all exchange together ever after.
            let after = every.mul_f64(self.rng.random_range(0.1..1.0));
            self.schedule(after, TimerKind::Sync, out);
        }
    }

    /// Takes a datagram of `from`.
    ///
    /// # Errors
    /// Every variant of [`SwimError`] but those of full states; a bad datagram is dropped.
    pub fn on_datagram(
        &mut self,
        now: Duration,
        from: NodeId,
        frame: &[u8],
        out: &mut Vec<Output>,
    ) -> Result<(), SwimError> {
        if self.left {
            return Err(SwimError::Left);
        }
        let packet = match frame.split_first() {
            Some((&PROTOCOL_VERSION, packet)) => packet,
            other => {
                return Err(SwimError::Version {
                    found: other.map(|(version, _)| *version),
                    expected: PROTOCOL_VERSION,
                });
            }
        };
        if !packet.starts_with(&from.0) {
            return Err(SwimError::Sender);
        }
        let sifted = self.sift(now, from, packet, out)?;
        let taken = self.with_foca(out, |foca, effects| foca.handle_data(&sifted.packet, effects));
        self.settle(now, out);
        self.doubt_all(sifted.doubted, out);
        taken.map_err(SwimError::Protocol)
    }

    /// Takes back a timer whose time has come.
    pub fn on_timer(&mut self, now: Duration, timer: SwimTimer, out: &mut Vec<Output>) {
        if self.left {
            return;
        }
        match timer.kind {
            TimerKind::Foca(event) => {
                if timer.generation == self.generation && !self.is_stale(&event) {
                    let done = self.with_foca(out, |foca, effects| foca.handle_timer(event, effects));
                    if let Err(error) = done {
                        tracing::debug!(error = %error, "a timer of the membership protocol came out of order");
                    }
                }
            }
            TimerKind::Sync => self.sync_with_someone(out),
            TimerKind::SyncAgain(node) => self.sync_again(node, out),
        }
        self.settle(now, out);
    }

    /// Whether `node` answers, as seen from here.
    #[must_use]
    pub fn reach(&self, node: NodeId) -> Reach {
        if node == self.node() {
            Reach::Alive
        } else {
            self.table.get(node).map_or(Reach::Unknown, |entry| entry.reach)
        }
    }

    /// What is known of the other members, by node.
    pub fn members(&self) -> impl Iterator<Item = (NodeId, &Entry)> {
        self.table.iter()
    }

    /// This node's present identity.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        self.foca.identity()
    }

    pub(super) const fn node(&self) -> NodeId {
        self.identity().node
    }

    /// Whether the timer would have foca tell a member that it is down although it refuted the suspicion in time: see the
    /// crate's documentation.
    fn is_stale(&self, event: &Timer<Identity>) -> bool {
        let Timer::ChangeSuspectToDown { member_id, incarnation, .. } = event else { return false };
        !self.foca.iter_membership_state().any(|member| {
            member.id() == member_id && member.incarnation() == *incarnation && member.state() == State::Suspect
        })
    }

    /// Suspects the member as if a probe had failed.
    pub(super) fn suspect(&mut self, identity: Identity, incarnation: foca::Incarnation, out: &mut Vec<Output>) {
        let suspicion = foca::Member::new(identity, incarnation, State::Suspect);
        let _ = self.with_foca(out, |foca, effects| foca.apply_many(std::iter::once(suspicion), true, effects));
        self.mark();
        let timer = Timer::ChangeSuspectToDown { member_id: identity, incarnation, token: self.token };
        let after = self.settings.suspicion_among(self.sized_for);
        self.schedule(after, TimerKind::Foca(timer), out);
    }

    /// Throws away what the protocol knows and goes on under a new identity. The table stays.
    pub(super) fn start_over(&mut self, identity: Identity, out: &mut Vec<Output>) {
        let (foca, notes) = fresh(identity, &self.settings, &mut self.rng);
        self.foca = foca;
        self.notes = notes;
        self.token = 0;
        self.sized_for = 1;
        self.generation = self.generation.wrapping_add(1);
        out.push(Output::Renewed(identity));
    }

    pub(super) fn with_foca<T>(
        &mut self,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Foca<Identity, ItemCodec, StdRng, NoCustomBroadcast>, &mut Effects<'_>) -> T,
    ) -> T {
        let (me, generation) = (self.node(), self.generation);
        let mut effects = Effects { me, generation, out, token: &mut self.token };
        act(&mut self.foca, &mut effects)
    }

    pub(super) fn schedule(&self, after: Duration, kind: TimerKind, out: &mut Vec<Output>) {
        out.push(Output::Timer { after, timer: SwimTimer { generation: self.generation, kind } });
    }

    /// This node as a member.
    pub(super) fn myself(&self) -> foca::Member<Identity> {
        foca::Member::new(*self.identity(), self.notes.incarnation(), State::Alive)
    }

    /// Has the next [`Swim::settle`] look through the members.
    pub(super) fn mark(&self) {
        self.notes.touch();
    }

    /// Follows what has changed in foca's list, and fits the settings to the size.
    pub(super) fn settle(&mut self, now: Duration, out: &mut Vec<Output>) {
        self.announce_renewal(now, out);
        if !self.notes.take_touched() {
            return;
        }
        let mut gone = Vec::new();
        self.table.follow(self.foca.iter_membership_state(), now, |change| {
            if change.after.reach == Reach::Down {
                gone.push(change.after.incarnation);
            }
            out.push(Output::Changed(change));
        });
        for peer in gone {
            self.ask_the_dead(peer, out);
        }
        let members = self.foca.num_members() + 1;
        if members != self.sized_for && self.foca.set_config(self.settings.foca(members)).is_ok() {
            self.sized_for = members;
        }
    }
}

fn fresh(
    identity: Identity,
    settings: &Settings,
    rng: &mut StdRng,
) -> (Foca<Identity, ItemCodec, StdRng, NoCustomBroadcast>, Arc<Notes>) {
    let (codec, notes) = ItemCodec::new(identity.node);
    let foca = Foca::new(identity, settings.foca(1), StdRng::from_rng(rng), codec);
    (foca, notes)
}
