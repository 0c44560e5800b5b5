use super::*;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_control::{MemberRecord, VersionRange};
use octopussy_core::ports::{
    FrameHandler, Incarnation, Lane, LaneHandler, MemberDesired, MemberRole, MeshError, MeshGuard, MeshStream,
    PeerObserver, PeerView, StreamHandler, StreamKind,
};
use octopussy_core::time::Timestamp;
use std::time::Duration;

const ME: NodeId = NodeId([1; 16]);
const A: NodeId = NodeId([2; 16]);
const B: NodeId = NodeId([3; 16]);

/// Who may connect, as the mesh would have it after all it was told.
#[derive(Default)]
struct Told {
    learned: Mutex<BTreeMap<NodeId, Vec<SocketAddr>>>,
    forgotten: Mutex<BTreeSet<NodeId>>,
}

impl Told {
    fn learned(&self) -> Vec<NodeId> {
        self.learned.lock().keys().copied().collect()
    }
    fn forgotten(&self) -> Vec<NodeId> {
        self.forgotten.lock().iter().copied().collect()
    }
}

#[async_trait]
impl MeshPort for Told {
    fn incarnation(&self) -> Incarnation {
        Incarnation { node: ME, boot: 1 }
    }
    fn call(
        &self,
        to: NodeId,
        _lane: Lane,
        _request: Bytes,
        _within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, MeshError>> {
        Box::pin(std::future::ready(Err(MeshError::NotConnected(to))))
    }
    fn datagram(&self, to: NodeId, _frame: Bytes) -> Result<(), MeshError> {
        Err(MeshError::NotConnected(to))
    }
    fn gossip(&self, to: NodeId, _frame: Bytes) -> Result<(), MeshError> {
        Err(MeshError::NotConnected(to))
    }
    async fn open(&self, to: NodeId, _kind: StreamKind) -> Result<MeshStream, MeshError> {
        Err(MeshError::NotConnected(to))
    }
    fn serve(&self, _lane: Lane, _handler: Arc<dyn LaneHandler>) {}
    fn serve_streams(&self, _kind: StreamKind, _handler: Arc<dyn StreamHandler>) {}
    fn on_datagram(&self, _handler: Arc<dyn FrameHandler>) {}
    fn on_gossip(&self, _handler: Arc<dyn FrameHandler>) {}
    fn guard(&self, _guard: Arc<dyn MeshGuard>) {}
    fn learn(&self, node: NodeId, addresses: &[SocketAddr]) {
        self.forgotten.lock().remove(&node);
        self.learned.lock().insert(node, addresses.to_vec());
    }
    fn forget(&self, node: NodeId) {
        self.learned.lock().remove(&node);
        self.forgotten.lock().insert(node);
    }
    fn peers(&self) -> Vec<PeerView> {
        Vec::new()
    }
    fn is_connected(&self, _node: NodeId) -> bool {
        false
    }
    fn observe(&self, _observer: Arc<dyn PeerObserver>) {}
}

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 47_210))
}

fn control(members: &[NodeId], departed: &[NodeId]) -> ControlState {
    let member = |id: NodeId| MemberRecord {
        id,
        name: format!("n{}", id.0[0]),
        addresses: vec![at(id.0[0])],
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::EPOCH,
    };
    ControlState {
        members: members.iter().map(|id| (*id, member(*id))).collect(),
        departed: departed.iter().map(|id| (*id, Timestamp::EPOCH)).collect(),
        ..ControlState::default()
    }
}

fn book() -> (Arc<Told>, Arc<PeerBook>) {
    let mesh = Arc::new(Told::default());
    (mesh.clone(), PeerBook::new(ME, mesh))
}

/// A node that has left stays refused over a restart of this one, whoever else still names it.
#[test]
fn the_departed_are_forgotten_from_the_first_state_on_and_stay_so() {
    let (mesh, book) = book();
    assert_eq!(book.follow(&control(&[ME, A], &[B])), [B]);
    book.introduce(B, &[at(9)]);
    book.learned(B, at(9));
    assert_eq!((mesh.learned(), mesh.forgotten()), (vec![A], vec![B]));
    assert!(book.follow(&control(&[ME, A], &[B])).is_empty(), "it is told once");
}

#[test]
fn members_are_dialled_where_they_were_heard_last_until_they_leave() {
    let (mesh, book) = book();
    book.introduce(ME, &[at(1)]);
    book.introduce(B, &[at(9)]);
    book.follow(&control(&[ME, A, B], &[]));
    book.learned(B, at(7));
    assert_eq!(mesh.learned.lock().get(&B), Some(&vec![at(7), at(3)]));
    assert_eq!(mesh.learned(), [A, B], "a node does not dial itself");
    book.follow(&control(&[ME, A], &[B]));
    book.learned(B, at(8));
    assert_eq!((mesh.learned(), mesh.forgotten()), (vec![A], vec![B]));
}

#[test]
fn members_that_do_not_answer_are_sought_where_one_of_them_may_be() {
    let (mesh, book) = book();
    assert!(!book.misses_members());
    book.follow(&control(&[ME, A, B], &[]));
    assert!(book.misses_members());
    book.try_also(&[at(9), at(2)]);
    assert_eq!(mesh.learned.lock().get(&A), Some(&vec![at(9), at(2)]));
    assert_eq!(mesh.learned.lock().get(&B), Some(&vec![at(9), at(2), at(3)]));
}
