//! A suspicion that was refuted in time has no consequences. In foca alone it has: see the crate's documentation.

use crate::swim::{Identity, Output, Settings, Swim, SwimTimer};
use foca::{AccumulatingRuntime, Codec, Foca, Header, Member, Message, State, Timer};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, Reach};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::Duration;

const A: Incarnation = Incarnation { node: NodeId([1; 16]), boot: 1 };
const B: Incarnation = Incarnation { node: NodeId([2; 16]), boot: 1 };

#[derive(Clone, Copy)]
struct Plain;

impl Codec<Identity> for Plain {
    type Error = postcard::Error;

    fn encode_header(&mut self, header: &Header<Identity>, mut buf: impl bytes::BufMut) -> Result<(), postcard::Error> {
        postcard::to_stdvec(header).map(|bytes| buf.put_slice(&bytes))
    }

    fn decode_header(&mut self, mut buf: impl bytes::Buf) -> Result<Header<Identity>, postcard::Error> {
        let (header, rest) = postcard::take_from_bytes(buf.chunk())?;
        let taken = buf.chunk().len() - rest.len();
        buf.advance(taken);
        Ok(header)
    }

    fn encode_member(&mut self, member: &Member<Identity>, mut buf: impl bytes::BufMut) -> Result<(), postcard::Error> {
        postcard::to_stdvec(member).map(|bytes| buf.put_slice(&bytes))
    }

    fn decode_member(&mut self, _: impl bytes::Buf) -> Result<Member<Identity>, postcard::Error> {
        Err(postcard::Error::DeserializeUnexpectedEnd)
    }
}

/// Once this fails, foca has been repaired and the filter in [`Swim`] can go.
#[test]
fn foca_tells_a_member_that_refuted_its_suspicion_that_it_is_down() {
    let (a, b) = (Identity::new(A, None), Identity::new(B, None));
    let config = foca::Config { notify_down_members: true, ..foca::Config::simple() };
    let mut foca = Foca::new(a, config, StdRng::seed_from_u64(0), Plain);
    let mut runtime = AccumulatingRuntime::new();
    for member in [Member::alive(b), Member::new(b, 0, State::Suspect), Member::new(b, 1, State::Alive)] {
        foca.apply_many(std::iter::once(member), true, &mut runtime).unwrap();
    }
    while runtime.to_send().is_some() || runtime.to_schedule().is_some() || runtime.to_notify().is_some() {}

    foca.handle_timer(Timer::ChangeSuspectToDown { member_id: b, incarnation: 0, token: 0 }, &mut runtime).unwrap();

    assert!(foca.iter_members().any(|member| *member.id() == b), "the refuted suspicion has not made it down");
    let (to, packet) = runtime.to_send().expect("and yet it is told something");
    let header: Header<Identity> = Plain.decode_header(&packet[..]).unwrap();
    assert_eq!((to, header.message), (b, Message::TurnUndead));
}

/// Two nodes that know each other.
fn pair() -> (Swim, Swim) {
    let (mut a, mut b) = (node(A, 1), node(B, 2));
    let (mut from_a, mut from_b) = (Vec::new(), Vec::new());
    a.on_connected(Duration::ZERO, B, &mut from_a);
    b.on_connected(Duration::ZERO, A, &mut from_b);
    ask(&from_a, &mut a, &mut b, Duration::ZERO);
    assert_eq!((a.reach(B.node), b.reach(A.node)), (Reach::Alive, Reach::Alive));
    (a, b)
}

/// Carries the requests in `out` from `a` to `b`, and the answers back.
fn ask(out: &[Output], a: &mut Swim, b: &mut Swim, now: Duration) {
    for output in out {
        if let Output::Sync { request, .. } = output {
            let answer = b.on_sync_request(now, a.identity().node, request, &mut Vec::new()).unwrap();
            a.on_sync_answer(now, b.identity().node, &answer, &mut Vec::new()).unwrap();
        }
    }
}

fn node(incarnation: Incarnation, seed: u64) -> Swim {
    Swim::new(incarnation, None, Settings::standard(), seed)
}

fn datagrams(out: &[Output]) -> impl Iterator<Item = &[u8]> {
    out.iter().filter_map(|output| match output {
        Output::Datagram { frame, .. } => Some(&frame[..]),
        Output::Timer { .. } | Output::Sync { .. } | Output::Changed(_) | Output::Renewed(_) => None,
    })
}

/// Has `a` suspect `b`; answers the timer that would declare it down.
fn suspect(a: &mut Swim) -> SwimTimer {
    let mut out = Vec::new();
    a.on_closed(Duration::from_secs(1), B, &mut out);
    assert_eq!(a.reach(B.node), Reach::Suspect);
    out.into_iter()
        .find_map(|output| match output {
            Output::Timer { after, timer } => (after == Settings::standard().suspicion).then_some(timer),
            Output::Datagram { .. } | Output::Sync { .. } | Output::Changed(_) | Output::Renewed(_) => None,
        })
        .expect("a suspicion has an end")
}

#[test]
fn a_member_that_refuted_in_time_hears_nothing_of_it() {
    let (mut a, mut b) = pair();
    let timer = suspect(&mut a);
    let mut out = Vec::new();
    a.on_connected(Duration::from_secs(1), B, &mut out);
    ask(&out, &mut a, &mut b, Duration::from_secs(1));
    assert_eq!(a.reach(B.node), Reach::Alive, "B has refuted the suspicion");

    let mut out = Vec::new();
    a.on_timer(Duration::from_secs(3), timer, &mut out);
    assert_eq!(datagrams(&out).count(), 0, "nothing is sent");
    assert_eq!(a.reach(B.node), Reach::Alive);
}

#[test]
fn a_member_that_did_not_is_down_and_told_so() {
    let (mut a, mut b) = pair();
    let timer = suspect(&mut a);
    let mut out = Vec::new();
    a.on_timer(Duration::from_secs(3), timer, &mut out);
    assert_eq!(a.reach(B.node), Reach::Down);
    let mut from_b = Vec::new();
    for frame in datagrams(&out) {
        b.on_datagram(Duration::from_secs(3), A.node, frame, &mut from_b).unwrap();
    }
    assert!(from_b.iter().any(|output| matches!(output, Output::Renewed(identity) if identity.renewal == 1)));
}
