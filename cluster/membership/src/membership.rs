use crate::handlers::Handlers;
use crate::swim::{Entry, Output, Settings, Swim, SwimError};
use crate::timer_queue::TimerQueue;
use crate::{AddressObserver, MemberReach, MembershipError, MembershipView};
use bytes::Bytes;
use futures::FutureExt;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MeshPort, PeerEvent, Reach, ReachabilityPort};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a full state may take to be answered: the lane is for small frames, and a peer that takes longer is asked again.
const SYNC_WITHIN: Duration = Duration::from_secs(5);

/// How long a departure waits for those who are told of it on a stream.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// Who answers, from one node: runs [`Swim`] over the mesh.
///
/// Inputs are taken where they arrive, under a lock that is held for microseconds and never while anything is sent; there is
/// no queue to bound. Dropping the last handle stops it without telling anyone, as a crash would.
pub struct Membership {
    node: NodeId,
    mesh: Arc<dyn MeshPort>,
    observer: Option<Arc<dyn AddressObserver>>,
    state: Mutex<State>,
    view: watch::Sender<Arc<MembershipView>>,
    wake: Arc<Notify>,
    started: Instant,
    this: Weak<Self>,
    _stop: DropGuard,
}

struct State {
    swim: Swim,
    timers: TimerQueue,
}

/// What was decided under the lock and is done after it.
#[derive(Default)]
struct Todo {
    datagrams: Vec<(NodeId, Bytes)>,
    syncs: Vec<(NodeId, Bytes)>,
    addresses: Vec<(NodeId, SocketAddr)>,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership")
            .field("node", &self.node)
            .field("view", &*self.view.borrow())
            .finish_non_exhaustive()
    }
}

impl Membership {
    /// Starts over `mesh`: takes its datagrams and its membership lane, and observes its connections. `address` is where
    /// others may dial this node; `observer` is told where others listen. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`MembershipError::Settings`]; nothing has been started.
    pub fn start(
        mesh: Arc<dyn MeshPort>,
        address: Option<SocketAddr>,
        settings: Settings,
        observer: Option<Arc<dyn AddressObserver>>,
    ) -> Result<Arc<Self>, MembershipError> {
        settings.check()?;
        let incarnation = mesh.incarnation();
        let swim = Swim::new(incarnation, address, settings, rand::random());
        let stop = CancellationToken::new();
        let membership = Arc::new_cyclic(|this| Self {
            node: incarnation.node,
            observer,
            state: Mutex::new(State { swim, timers: TimerQueue::default() }),
            view: watch::Sender::new(Arc::default()),
            wake: Arc::default(),
            started: Instant::now(),
            this: Weak::clone(this),
            _stop: stop.clone().drop_guard(),
            mesh,
        });
        membership.input(|swim, _, out| swim.start(out));
        let handlers = Arc::new(Handlers(Arc::downgrade(&membership)));
        membership.mesh.on_datagram(Arc::clone(&handlers) as _);
        membership.mesh.serve(Lane::Membership, Arc::clone(&handlers) as _);
        membership.mesh.observe(handlers);
        // Whoever connected before the observer was there; hearing of one twice does no harm.
        for peer in membership.mesh.peers() {
            membership.on_peer(PeerEvent::Connected(peer.incarnation));
        }
        tokio::spawn(run_timers(Arc::downgrade(&membership), Arc::clone(&membership.wake), stop));
        Ok(membership)
    }

    /// What is known of all other members, now and after every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<MembershipView>> {
        self.view.subscribe()
    }

    /// What is known of all other members now.
    #[must_use]
    pub fn view(&self) -> Arc<MembershipView> {
        Arc::clone(&self.view.borrow())
    }

    /// This node now listens at `address`; others are told.
    pub fn set_address(&self, address: Option<SocketAddr>) {
        self.input(|swim, now, out| swim.set_address(now, address, out));
    }

    /// The cluster has these members: of others nothing is kept that anybody says.
    pub fn set_members(&self, members: BTreeSet<NodeId>) {
        self.input(|swim, _, _| swim.set_members(members));
    }

    /// Forgets a node that was removed from the cluster for good.
    pub fn forget(&self, node: NodeId) {
        self.input(|swim, now, out| swim.forget(now, node, out));
        self.publish();
    }

    /// Tells others that this node leaves; nothing is said or heard afterwards. Takes at most a second.
    pub async fn leave(&self) {
        let ((), todo) = self.decide(|swim, now, out| swim.leave(now, out));
        let calls = todo
            .syncs
            .iter()
            .map(|(to, request)| self.mesh.call(*to, Lane::Membership, request.clone(), LEAVE_WITHIN))
            .collect::<Vec<_>>();
        self.send(Todo { syncs: Vec::new(), ..todo });
        let _ = tokio::time::timeout(LEAVE_WITHIN, futures::future::join_all(calls)).await;
    }

    pub(crate) fn on_datagram(&self, from: NodeId, frame: &[u8]) {
        let taken = self.input(|swim, now, out| swim.on_datagram(now, from, frame, out));
        note(from, taken);
    }

    pub(crate) fn on_request(&self, from: NodeId, request: &[u8]) -> Result<Bytes, Arc<str>> {
        self.input(|swim, now, out| swim.on_sync_request(now, from, request, out))
            .map_err(|error| error.to_string().into())
    }

    pub(crate) fn on_peer(&self, event: PeerEvent) {
        self.input(|swim, now, out| match event {
            PeerEvent::Connected(peer) => swim.on_connected(now, peer, out),
            PeerEvent::Closed(peer) => swim.on_closed(now, peer, out),
        });
    }

    /// Gives `act` to the protocol and does what comes of it.
    fn input<T>(&self, act: impl FnOnce(&mut Swim, Duration, &mut Vec<Output>) -> T) -> T {
        let (answer, todo) = self.decide(act);
        self.send(todo);
        answer
    }

    /// Gives `act` to the protocol; what comes of it is still to be done.
    fn decide<T>(&self, act: impl FnOnce(&mut Swim, Duration, &mut Vec<Output>) -> T) -> (T, Todo) {
        let mut out = Vec::new();
        let mut todo = Todo::default();
        let mut state = self.state.lock();
        let now = Instant::now();
        let answer = act(&mut state.swim, now.saturating_duration_since(self.started), &mut out);
        let (before, mut changed) = (state.timers.next_at(), false);
        for output in out {
            match output {
                Output::Datagram { to, frame } => todo.datagrams.push((to, frame)),
                Output::Timer { after, timer } => state.timers.push(now + after, timer),
                Output::Sync { to, request } => todo.syncs.push((to, request)),
                Output::Changed(change) => {
                    changed = true;
                    let after = change.after;
                    tracing::info!(member = %after.incarnation, reach = ?after.reach, "membership changed");
                    let known = change.before.and_then(|entry| entry.address);
                    if let Some(address) = after.address.filter(|address| Some(*address) != known) {
                        todo.addresses.push((after.incarnation.node, address));
                    }
                }
                Output::Renewed(identity) => {
                    tracing::info!(renewal = identity.renewal, "this node goes on under a new identity");
                }
            }
        }
        if before != state.timers.next_at() {
            self.wake.notify_one();
        }
        // Under the lock, so that two changes are not shown in the wrong order.
        if changed {
            self.show(&state.swim);
        }
        (answer, todo)
    }

    fn publish(&self) {
        self.show(&self.state.lock().swim);
    }

    fn show(&self, swim: &Swim) {
        let members = swim.members().map(|(node, entry)| (node, self.shown(entry))).collect();
        self.view.send_replace(Arc::new(MembershipView { members }));
    }

    fn shown(&self, entry: &Entry) -> MemberReach {
        MemberReach {
            incarnation: entry.incarnation,
            reach: entry.reach,
            since: self.started + entry.since,
            address: entry.address,
        }
    }

    fn send(&self, todo: Todo) {
        for (to, frame) in todo.datagrams {
            // Lost datagrams are what the protocol is made for, those to a peer without a connection included.
            let _ = self.mesh.datagram(to, frame);
        }
        for (to, request) in todo.syncs {
            let call = self.mesh.call(to, Lane::Membership, request, SYNC_WITHIN);
            let this = Weak::clone(&self.this);
            tokio::spawn(call.map(move |answer| match (answer, this.upgrade()) {
                (Ok(answer), Some(membership)) => membership.on_answer(to, &answer),
                (Err(error), Some(_)) => tracing::debug!(%error, "no full state was exchanged"),
                (Ok(_) | Err(_), None) => {}
            }));
        }
        if let Some(observer) = &self.observer {
            todo.addresses.into_iter().for_each(|(node, address)| observer.learned(node, address));
        }
    }

    fn on_answer(&self, from: NodeId, answer: &[u8]) {
        let taken = self.input(|swim, now, out| swim.on_sync_answer(now, from, answer, out));
        note(from, taken);
    }

    /// Gives back the timers that are due; answers when the next one is.
    fn on_time(&self) -> Option<Instant> {
        loop {
            let due = self.state.lock().timers.pop_due(Instant::now());
            match due {
                Some(timer) => self.input(|swim, now, out| swim.on_timer(now, timer, out)),
                None => return self.state.lock().timers.next_at(),
            }
        }
    }
}

impl ReachabilityPort for Membership {
    fn reach(&self, node: NodeId) -> Reach {
        if node == self.node { Reach::Alive } else { self.view.borrow().reach(node) }
    }

    fn down_for(&self, node: NodeId) -> Option<Duration> {
        let view = self.view.borrow();
        view.members.get(&node).filter(|member| member.reach == Reach::Down).map(|member| member.since.elapsed())
    }
}

fn note(from: NodeId, taken: Result<(), SwimError>) {
    if let Err(error) = taken {
        tracing::debug!(node = %from, %error, "a message of the membership protocol was not taken");
    }
}

async fn run_timers(membership: Weak<Membership>, wake: Arc<Notify>, stop: CancellationToken) {
    loop {
        let Some(next) = membership.upgrade().map(|membership| membership.on_time()) else { return };
        // Without a timer there is nothing to do until an input schedules one.
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = wake.notified() => {}
            () = stop.cancelled() => return,
        }
    }
}
