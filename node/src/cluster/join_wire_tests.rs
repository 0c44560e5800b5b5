use super::*;
use octopussy_core::ids::NodeId;

fn request() -> JoinRequest {
    JoinRequest {
        protocol: PROTOCOL,
        secret: JoinSecret([9; 32]),
        signing_request: vec![1, 2, 3],
        name: "attic".to_owned(),
        name_is_chosen: false,
        only_as_guest: true,
        capacity: 4,
        zone: Some("cellar".to_owned()),
        addresses: vec!["192.0.2.1:47210".parse().unwrap()],
        versions: VersionRange { min: 1, max: 1 },
        boot: 7,
        clock: Timestamp::from_millis(5),
    }
}

#[test]
fn a_request_survives_the_wire_and_another_version_is_named() {
    let bytes = encode_request(&request()).unwrap();
    assert_eq!(decode_request(&bytes), Ok(request()));
    let newer = encode_request(&JoinRequest { protocol: 300, ..request() }).unwrap();
    assert_eq!(decode_request(&newer), Err(JoinRefusal::Protocol { theirs: 300, ours: PROTOCOL }));
}

#[test]
fn whatever_arrives_is_answered_and_never_panics() {
    let bytes = encode_request(&request()).unwrap();
    for cut in 0..bytes.len() {
        assert!(decode_request(&bytes[..cut]).is_err(), "{cut}");
    }
    assert!(decode_request(&[255; 64]).is_err());
    assert!(decode_answer(&[1, 1, 200]).is_err());
}

#[test]
fn a_refusal_arrives_as_the_sentence_that_was_meant() {
    let clock = JoinRefusal::Clock { theirs: Timestamp::from_millis(0), ours: Timestamp::from_millis(3_600_000) };
    let refusals = [
        clock.clone(),
        JoinRefusal::Control(ControlRefusal::TokenUsed),
        JoinRefusal::Control(ControlRefusal::Departed(NodeId([3; 16]))),
        JoinRefusal::NotNow("there is no leader".to_owned()),
    ];
    for refusal in refusals {
        let bytes = encode_answer(&Err(refusal.clone())).unwrap();
        assert_eq!(decode_answer(&bytes).unwrap(), Err(refusal));
    }
    let text = clock.to_string();
    assert!(text.contains("60 minutes"), "{text}");
    assert!(text.contains("1970-01-01 00:00:00 UTC") && text.contains("1970-01-01 01:00:00 UTC"), "{text}");
}

#[test]
fn secrets_do_not_show_in_debug() {
    let handed = HandedSecret { name: "a".to_owned(), value: b"open sesame".to_vec(), set_at: Timestamp::EPOCH };
    assert_eq!(format!("{handed:?}"), "HandedSecret(a)");
    let keys = MemberKeys { authority_key: "PEM".to_owned(), data_key: [7; 32], secrets: vec![handed] };
    assert_eq!(format!("{keys:?}"), "MemberKeys(…)");
}
