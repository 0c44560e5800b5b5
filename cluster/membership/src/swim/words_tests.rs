use super::super::exchange::{Answer, Request, decode_answer, encode_request};
use super::super::settings::Settings;
use super::*;
use octopussy_core::ports::Incarnation;

const ME: Incarnation = Incarnation { node: NodeId([2; 16]), boot: 1 };
const OTHER: Incarnation = Incarnation { node: NodeId([3; 16]), boot: 7 };
const LIAR: Incarnation = Incarnation { node: NodeId([4; 16]), boot: 1 };
const NOW: Duration = Duration::from_secs(100);

fn identity(life: Incarnation) -> Identity {
    Identity::new(life, None)
}

/// A node that is connected with the liar, and with the other if so wished, each of whom has shown itself.
fn node(with_other: bool) -> Swim {
    let mut swim = Swim::new(ME, None, Settings::standard(), 1);
    let mut out = Vec::new();
    for peer in [Some(LIAR), with_other.then_some(OTHER)].into_iter().flatten() {
        swim.on_connected(NOW, peer, &mut out);
        says(&mut swim, peer.node, &Request::Compare { me: identity(peer), digest: 0 });
    }
    swim
}

fn says(swim: &mut Swim, from: NodeId, request: &Request) -> Vec<Output> {
    let mut out = Vec::new();
    let _ = swim.on_sync_request(NOW, from, &encode_request(request), &mut out);
    out
}

fn tell(swim: &mut Swim, identity: Identity, incarnation: u16, state: State) -> Vec<Output> {
    says(swim, LIAR.node, &Request::Tell(vec![Member::new(identity, incarnation, state)]))
}

fn asked(out: &[Output], node: NodeId) -> bool {
    out.iter().any(|output| matches!(output, Output::Sync { to, .. } if *to == node))
}

#[test]
fn a_connected_node_is_not_down_because_a_peer_says_so_and_is_asked() {
    let mut swim = node(true);
    let out = tell(&mut swim, identity(OTHER), 0, State::Down);
    assert_eq!(swim.reach(OTHER.node), Reach::Suspect);
    assert!(asked(&out, OTHER.node), "it is asked whether it answers");
    // Again and again, at once: it has had no time to answer.
    tell(&mut swim, identity(OTHER), 0, State::Down);
    assert_eq!(swim.reach(OTHER.node), Reach::Suspect);
    let refuted = Request::Tell(vec![Member::new(identity(OTHER), 1, State::Alive)]);
    says(&mut swim, OTHER.node, &refuted);
    assert_eq!(swim.reach(OTHER.node), Reach::Alive);
}

#[test]
fn a_connected_node_that_does_not_answer_is_down_when_others_say_so() {
    let mut swim = node(true);
    let later = |swim: &mut Swim, after: u64, state| {
        let word = Request::Tell(vec![Member::new(identity(OTHER), 0, state)]);
        let now = NOW + Duration::from_millis(after);
        swim.on_sync_request(now, LIAR.node, &encode_request(&word), &mut Vec::new()).unwrap();
        swim.reach(OTHER.node)
    };
    assert_eq!(later(&mut swim, 0, State::Suspect), Reach::Suspect);
    assert_eq!(later(&mut swim, 900, State::Down), Reach::Suspect, "it may be about to answer");
    assert_eq!(later(&mut swim, 1_000, State::Down), Reach::Down);
}

#[test]
fn no_life_and_no_identity_of_a_connected_node_is_taken_from_others() {
    let mut swim = node(true);
    for state in [State::Alive, State::Suspect, State::Down] {
        tell(&mut swim, identity(Incarnation { boot: u64::MAX, ..OTHER }), 0, state);
        tell(&mut swim, Identity { renewal: u32::MAX, ..identity(OTHER) }, u16::MAX, state);
        assert_eq!(swim.reach(OTHER.node), Reach::Alive, "{state:?}");
    }
    let known: Vec<_> = swim.members().map(|(node, entry)| (node, entry.incarnation.boot)).collect();
    assert_eq!(known, [(OTHER.node, 7), (LIAR.node, 1)]);
}

#[test]
fn whatever_was_claimed_of_a_node_gives_way_when_it_is_heard_itself() {
    for claimed in
        [identity(Incarnation { boot: u64::MAX, ..OTHER }), Identity { renewal: u32::MAX, ..identity(OTHER) }]
    {
        for state in [State::Alive, State::Down] {
            let mut swim = node(false);
            tell(&mut swim, claimed, u16::MAX, state);
            let mut out = Vec::new();
            swim.on_connected(NOW, OTHER, &mut out);
            says(&mut swim, OTHER.node, &Request::Compare { me: identity(OTHER), digest: 0 });
            assert_eq!(swim.reach(OTHER.node), Reach::Alive, "{claimed:?} {state:?}");
            let entry = swim.members().find(|(node, _)| *node == OTHER.node).unwrap().1;
            assert_eq!(entry.incarnation, OTHER);
        }
    }
}

#[test]
fn nodes_that_are_no_members_take_no_space() {
    let mut swim = node(true);
    swim.set_members([ME.node, OTHER.node, LIAR.node].into());
    let invented = (10..=255).map(|number| Incarnation { node: NodeId([number; 16]), boot: 1 });
    let invented = invented.map(|life| Member::alive(identity(life))).collect();
    says(&mut swim, LIAR.node, &Request::Tell(invented));
    assert_eq!(swim.members().count(), 2);
    assert_eq!(swim.foca.iter_membership_state().count(), 2);
}

#[test]
fn a_node_speaks_for_itself_only() {
    let mut swim = node(true);
    let mut out = Vec::new();
    // The liar shows itself as the other, and doubts the other at this node.
    for request in [
        Request::Compare { me: identity(OTHER), digest: 0 },
        Request::Doubt(Member::new(identity(OTHER), 0, State::Suspect)),
    ] {
        let refused = swim.on_sync_request(NOW, LIAR.node, &encode_request(&request), &mut out);
        assert!(matches!(refused, Err(SwimError::Sender)), "{refused:?}");
    }
    let here = super::super::exchange::encode(&Answer::Here(Member::new(identity(OTHER), 9, State::Down)));
    assert!(matches!(decode_answer(&here), Ok(Answer::Here(_))));
    assert!(matches!(swim.on_sync_answer(NOW, LIAR.node, &here, &mut out), Err(SwimError::Sender)));
    assert_eq!(swim.reach(OTHER.node), Reach::Alive);
}

#[test]
fn being_called_down_renews_a_node_once_in_a_while_and_everybody_hears_it_from_itself() {
    let mut swim = node(true);
    let me = *swim.identity();
    let out = tell(&mut swim, me, 0, State::Down);
    assert_eq!(swim.identity().renewal, 1);
    assert!(asked(&out, OTHER.node) && asked(&out, LIAR.node), "all are told");
    for _ in 0..1_000 {
        let me = *swim.identity();
        tell(&mut swim, me, 0, State::Down);
    }
    assert_eq!(swim.identity().renewal, 1, "not more often than once a second");
    assert_eq!(swim.reach(ME.node), Reach::Alive);
}

/// What a node sends that was told a lie while it could not know better.
#[test]
fn a_lie_in_a_datagram_is_no_better_than_one_on_a_stream() {
    let mut swim = node(true);
    let mut deceived = Swim::new(LIAR, None, Settings::standard(), 9);
    let mut out = Vec::new();
    deceived.on_connected(NOW, ME, &mut out);
    let claims = vec![
        Member::alive(identity(ME)),
        Member::new(identity(Incarnation { boot: u64::MAX, ..OTHER }), 0, State::Down),
        Member::alive(identity(Incarnation { node: NodeId([99; 16]), boot: 1 })),
    ];
    let frame = encode_request(&Request::Tell(claims));
    let _ = deceived.on_sync_request(NOW, ME.node, &frame, &mut out);
    assert_eq!(deceived.reach(OTHER.node), Reach::Down, "it believes it");
    swim.set_members([ME.node, OTHER.node, LIAR.node].into());
    let mut sent = 0;
    for _ in 0..8 {
        let gossip = std::mem::take(&mut out);
        for output in gossip {
            match output {
                Output::Datagram { to, frame } if to == ME.node => {
                    sent += 1;
                    let _ = swim.on_datagram(NOW, LIAR.node, &frame, &mut Vec::new());
                }
                Output::Timer { timer, .. } => deceived.on_timer(NOW, timer, &mut out),
                Output::Datagram { .. } | Output::Sync { .. } | Output::Changed(_) | Output::Renewed(_) => {}
            }
        }
    }
    assert!(sent > 0, "nothing was sent");
    assert_eq!(swim.reach(OTHER.node), Reach::Alive);
    assert_eq!(swim.reach(NodeId([99; 16])), Reach::Unknown);
}
