use super::*;
use crate::cluster::join_wire::PROTOCOL;
use crate::cluster::token::JoinSecret;
use octopussy_control::{TokenMaker, VersionRange};
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(10_000_000);
const ME: NodeId = NodeId([1; 16]);
const OTHER: NodeId = NodeId([2; 16]);

fn request() -> JoinRequest {
    JoinRequest {
        protocol: PROTOCOL,
        secret: JoinSecret([9; 32]),
        signing_request: vec![0; 300],
        name: "attic".to_owned(),
        name_is_chosen: true,
        only_as_guest: false,
        capacity: 4,
        zone: None,
        addresses: vec!["192.0.2.1:47210".parse().unwrap()],
        versions: VersionRange { min: 1, max: 1 },
        boot: 1,
        clock: NOW,
    }
}

fn control(uses: TokenUse, used_by: &[NodeId]) -> ControlState {
    let secret = request().secret;
    let token = JoinToken {
        digest: secret.digest(),
        uses,
        expires_at: NOW.plus(Duration::from_secs(60)),
        used_by: used_by.to_vec(),
        role: MemberRole::Full,
        made_by: TokenMaker { node: OTHER, principal: "admin".to_owned(), at: NOW },
    };
    ControlState { tokens: [(secret.id(), token)].into(), ..ControlState::default() }
}

fn add(control: &mut ControlState, id: NodeId, name: &str) {
    let member =
        check(&JoinRequest { name: name.to_owned(), ..request() }, id, &self::control(TokenUse::Timed, &[]), NOW);
    control.members.insert(id, member.unwrap());
}

fn refusal(request: &JoinRequest, control: &ControlState) -> JoinRefusal {
    check(request, ME, control, NOW).unwrap_err()
}

#[test]
fn a_good_request_becomes_the_record_that_was_asked_for() {
    let member = check(&request(), ME, &control(TokenUse::Single, &[]), NOW).unwrap();
    assert_eq!((member.id, member.name.as_str(), member.capacity), (ME, "attic", 4));
    assert_eq!(member.joined_at, NOW);
}

#[test]
fn a_token_counts_once_until_it_expires_and_again_for_the_same_node() {
    let unknown = JoinRequest { secret: JoinSecret([8; 32]), ..request() };
    assert_eq!(refusal(&unknown, &control(TokenUse::Single, &[])), JoinRefusal::Control(ControlRefusal::UnknownToken));
    let used = control(TokenUse::Single, &[OTHER]);
    assert_eq!(refusal(&request(), &used), JoinRefusal::Control(ControlRefusal::TokenUsed));
    assert!(check(&request(), ME, &control(TokenUse::Timed, &[OTHER]), NOW).is_ok());
    assert!(
        check(&request(), ME, &control(TokenUse::Single, &[ME]), NOW).is_ok(),
        "a lost answer cannot be asked for again"
    );
    let late = NOW.plus(Duration::from_secs(60));
    let request = JoinRequest { clock: late, ..request() };
    let expired = check(&request, ME, &control(TokenUse::Single, &[]), late).unwrap_err();
    assert_eq!(expired, JoinRefusal::Control(ControlRefusal::TokenExpired));
}

#[test]
fn clocks_may_differ_by_five_minutes_in_both_directions() {
    let control = control(TokenUse::Single, &[]);
    for (theirs, ok) in [(300_000, true), (300_001, false)] {
        let (ahead, behind) = (NOW.as_millis() + theirs, NOW.as_millis() - theirs);
        for clock in [ahead, behind] {
            let request = JoinRequest { clock: Timestamp::from_millis(clock), ..request() };
            assert_eq!(check(&request, ME, &control, NOW).is_ok(), ok, "{clock}");
        }
    }
}

#[test]
fn a_chosen_name_has_to_be_free_and_another_gets_a_number() {
    let mut control = control(TokenUse::Timed, &[]);
    add(&mut control, OTHER, "attic");
    assert_eq!(refusal(&request(), &control), JoinRefusal::Control(ControlRefusal::NameTaken("attic".to_owned())));
    let any = JoinRequest { name_is_chosen: false, ..request() };
    assert_eq!(check(&any, ME, &control, NOW).unwrap().name, "attic-2");
    add(&mut control, NodeId([3; 16]), "attic-2");
    assert_eq!(check(&any, ME, &control, NOW).unwrap().name, "attic-3");
    assert_eq!(check(&any, OTHER, &control, NOW).unwrap().name, "attic", "a member keeps its own name");
}

#[test]
fn who_has_left_stays_out_and_nonsense_is_refused() {
    let mut gone = control(TokenUse::Timed, &[]);
    gone.departed.insert(ME, NOW);
    assert_eq!(refusal(&request(), &gone), JoinRefusal::Control(ControlRefusal::Departed(ME)));
    let control = control(TokenUse::Timed, &[]);
    let wrong = [
        JoinRequest { name: String::new(), ..request() },
        JoinRequest { name: "two words".to_owned(), ..request() },
        JoinRequest { name: "a\n".to_owned(), ..request() },
        JoinRequest { name: "x".repeat(65), ..request() },
        JoinRequest { zone: Some("\u{7}".to_owned()), ..request() },
        JoinRequest { addresses: Vec::new(), ..request() },
        JoinRequest { addresses: vec!["192.0.2.1:1".parse().unwrap(); 17], ..request() },
        JoinRequest { signing_request: vec![0; 9_000], ..request() },
        JoinRequest { capacity: 0, ..request() },
        JoinRequest { capacity: u32::MAX, ..request() },
    ];
    for request in wrong {
        assert!(matches!(refusal(&request, &control), JoinRefusal::BadRequest(_)), "{request:?}");
    }
}
