//! Doors for the fuzz targets: what a machine that is no member yet sends, and what is pasted as a token.
//!
//! The binary has no library: `tests/fuzz` compiles this file, `token.rs` and `join_wire.rs` as its own.

use super::join_wire::{decode_answer, decode_request, encode_answer, encode_request};
use super::token::JoinToken;

/// A token as it was pasted.
///
/// # Panics
/// When one that was read is written as another.
pub(crate) fn join_token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<JoinToken>() {
        Ok(token) => assert_eq!(token.encode().parse::<JoinToken>().as_ref(), Ok(&token)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A request to join, or behind a byte that is not 0 the answer to one.
///
/// # Panics
/// When what was read is written as something else.
pub(crate) fn join_wire(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    if kind == 0 {
        match decode_request(bytes) {
            Ok(request) => {
                assert_eq!(encode_request(&request).map(|again| decode_request(&again)).ok(), Some(Ok(request)))
            }
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    } else if let Ok(answer) = decode_answer(bytes) {
        if let Err(refusal) = &answer {
            assert!(!refusal.to_string().is_empty());
        }
        let again = encode_answer(&answer).expect("what was read can be written");
        assert!(decode_answer(&again).is_ok_and(|again| again == answer), "it is read as something else");
    }
}

#[cfg(test)]
mod tests {
    use super::super::join_wire::{JoinGrant, JoinRefusal, JoinRequest, MemberKeys, PROTOCOL};
    use super::super::token::JoinSecret;
    use super::*;
    use octopussy_control::{ClusterRecord, ControlRefusal, MemberRecord, VersionRange};
    use octopussy_core::ids::{NodeId, ShardCount};
    use octopussy_core::ports::{MemberDesired, MemberRole};
    use octopussy_core::time::Timestamp;
    use octopussy_corpus::replay;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const VERSIONS: VersionRange = VersionRange { min: 1, max: 1 };

    #[test]
    fn the_corpus_of_tokens_passes() {
        let token = |addresses: &[&str]| JoinToken {
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            fingerprint: [1; 32],
            secret: JoinSecret([2; 32]),
            expires_at: NOW,
        };
        let two = token(&["192.0.2.1:47210", "[2001:db8::1]:47210"]).encode();
        let seeds = [
            ("one-address", token(&["192.0.2.1:47210"]).encode()),
            ("cut-off", two[..two.len() - 5].to_owned()),
            ("two-addresses", two),
            ("another-version", "octo2_AAAA".to_owned()),
        ];
        replay("join_token", join_token, &seeds.map(|(name, text)| (name, text.into_bytes())));
    }

    fn request() -> JoinRequest {
        JoinRequest {
            protocol: PROTOCOL,
            secret: JoinSecret([9; 32]),
            signing_request: vec![0x30, 0x03, 0x02, 0x01, 0x05],
            name: "attic".to_owned(),
            name_is_chosen: true,
            only_as_guest: false,
            capacity: 100,
            zone: Some("house".to_owned()),
            addresses: vec!["192.0.2.1:47210".parse().unwrap()],
            versions: VERSIONS,
            boot: 7,
            clock: NOW,
        }
    }

    fn grant() -> JoinGrant {
        let member = MemberRecord {
            id: NodeId([7; 16]),
            name: "attic".to_owned(),
            addresses: vec!["192.0.2.1:47210".parse().unwrap()],
            role: MemberRole::Full,
            desired: MemberDesired::Active,
            capacity: 100,
            zone: Some("house".to_owned()),
            versions: VERSIONS,
            joined_at: NOW,
        };
        JoinGrant {
            authority: "-----BEGIN CERTIFICATE-----".to_owned(),
            keys: Some(MemberKeys { authority_key: "KEY".to_owned(), data_key: [4; 32], secrets: Vec::new() }),
            certificate: "-----BEGIN CERTIFICATE-----".to_owned(),
            cluster: ClusterRecord {
                id: "00".to_owned(),
                shards: ShardCount::DEFAULT,
                replication: 3,
                founded_at: NOW,
            },
            member: member.clone(),
            members: vec![member],
        }
    }

    #[test]
    fn the_corpus_of_joining_passes() {
        let asks = |request: &JoinRequest| [vec![0], encode_request(request).unwrap()].concat();
        let answers = |answer| [vec![1], encode_answer(&answer).unwrap()].concat();
        let seeds = [
            ("request", asks(&request())),
            ("newer-request", asks(&JoinRequest { protocol: 300, ..request() })),
            ("grant", answers(Ok(grant()))),
            ("clock", answers(Err(JoinRefusal::Clock { theirs: Timestamp::EPOCH, ours: NOW }))),
            ("used", answers(Err(JoinRefusal::Control(ControlRefusal::TokenUsed)))),
        ];
        replay("join_wire", join_wire, &seeds);
    }
}
