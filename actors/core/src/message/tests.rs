//! What a signature promises, and what the replay window does.

use super::encoding::signed_bytes;
use super::{
    KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, ReplayWindow, SigningKey, VerifyError,
};
use crate::codec;
use crate::ids::{MessageId, PartyId, TraceId};
use crate::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use uuid::Uuid;

fn types() -> impl Strategy<Value = MessageType> {
    prop::sample::select(vec![MessageType::Task, MessageType::Result, MessageType::Control, MessageType::Event])
}

fn drafts() -> impl Strategy<Value = MessageDraft> {
    let ids = (any::<u128>(), any::<u128>(), any::<u128>(), any::<u128>());
    let payloads = prop::collection::hash_map(".{0,8}", ".{0,40}", 0..4);
    let times = (0u64..=u64::MAX / 2, 0u64..=86_400_000);
    (ids, types(), prop::sample::select(Priority::ALL.to_vec()), payloads, times).prop_map(
        |((message, sender, recipient, trace), message_type, priority, payload, (created, ttl))| MessageDraft {
            message_id: MessageId::from_uuid(Uuid::from_u128(message)),
            sender_id: PartyId::from_uuid(Uuid::from_u128(sender)),
            recipient_id: PartyId::from_uuid(Uuid::from_u128(recipient)),
            message_type,
            payload: Payload::from_value(&payload).unwrap(),
            priority,
            trace_id: TraceId::from_uuid(Uuid::from_u128(trace)),
            created_at: Timestamp::from_millis(created),
            ttl: Duration::from_millis(ttl),
        },
    )
}

fn key(id: u32, fill: u8) -> SigningKey {
    SigningKey::new(KeyId(id), [fill; 32])
}

fn keyring() -> Keyring {
    Keyring::new(key(7, 0x5a))
}

fn encoded(draft: &MessageDraft, key: KeyId) -> Vec<u8> {
    let mut bytes = Vec::new();
    signed_bytes(draft, key, |piece| bytes.extend_from_slice(piece));
    bytes
}

/// Everything that tells two drafts apart.
fn identity(draft: &MessageDraft) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        (draft.message_id, draft.sender_id, draft.recipient_id, draft.trace_id),
        (draft.message_type, draft.priority, draft.created_at, draft.ttl.as_millis()),
        draft.payload.as_str().to_owned(),
    )
}

fn draft(id: u128, created: u64, ttl: Duration) -> MessageDraft {
    MessageDraft {
        message_id: MessageId::from_uuid(Uuid::from_u128(id)),
        sender_id: PartyId::from_uuid(Uuid::from_u128(1)),
        recipient_id: PartyId::from_uuid(Uuid::from_u128(2)),
        message_type: MessageType::Task,
        payload: Payload::from_object(&Map::new()).unwrap(),
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(Uuid::from_u128(3)),
        created_at: Timestamp::from_millis(created),
        ttl,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Every bit of the stored form belongs to some field, so flipping each of them in turn tampers with every bit of every field.
    #[test]
    fn flipping_any_bit_breaks_the_signature(draft in drafts()) {
        let keyring = keyring();
        let message = keyring.sign(draft);
        prop_assert_eq!(keyring.verify(&message), Ok(()));
        let bytes = codec::encode(&message).unwrap();
        let mut tampered_with = 0;
        for bit in 8..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // Not every flip leaves a message (or another one), but one that is left must not verify.
            if let Ok(tampered) = codec::decode::<Message>(&bytes) && tampered != message {
                prop_assert!(keyring.verify(&tampered).is_err(), "bit {bit} is not under the signature");
                tampered_with += 1;
            }
        }
        // Four ids of sixteen bytes and the signature never fail to decode.
        prop_assert!(tampered_with >= (4 * 16 + 32) * 8, "only {tampered_with} flips left a message");
    }
}

proptest! {
    #[test]
    fn every_field_is_under_the_signature(original in drafts(), other in drafts(), field in 0usize..9) {
        let keyring = keyring();
        let signed = keyring.sign(original.clone());
        let mut forged = signed.clone();
        let other = keyring.sign(other);
        match field {
            0 => forged.message_id = other.message_id,
            1 => forged.sender_id = other.sender_id,
            2 => forged.recipient_id = other.recipient_id,
            3 => forged.message_type = other.message_type,
            4 => forged.payload = other.payload,
            5 => forged.priority = other.priority,
            6 => forged.trace_id = other.trace_id,
            7 => forged.created_at = other.created_at,
            _ => forged.ttl_millis = other.ttl_millis,
        }
        let expected = if forged == signed { Ok(()) } else { Err(VerifyError::BadSignature) };
        prop_assert_eq!(keyring.verify(&forged), expected);
    }

    #[test]
    fn distinct_drafts_have_distinct_encodings(one in drafts(), other in drafts(), same_but_payload: bool) {
        let other = if same_but_payload { MessageDraft { payload: other.payload, ..one.clone() } } else { other };
        let same = identity(&one) == identity(&other);
        prop_assert_eq!(encoded(&one, KeyId(1)) == encoded(&other, KeyId(1)), same);
        prop_assert_ne!(encoded(&one, KeyId(1)), encoded(&one, KeyId(2)));
    }

    #[test]
    fn a_stored_message_is_the_same_message(draft in drafts()) {
        let message = keyring().sign(draft);
        let back: Message = codec::decode(&codec::encode(&message).unwrap()).unwrap();
        prop_assert_eq!(&back, &message);
        prop_assert_eq!(keyring().verify(&back), Ok(()));
    }

    /// Against a model that never forgets: whatever is still alive is admitted once, however the clock moves and however
    /// small the window is.
    #[test]
    fn a_living_message_is_never_admitted_twice(
        capacity in 1usize..6,
        steps in prop::collection::vec((0u128..12, 0u64..100), 1..200),
        lifetimes in prop::collection::vec(1u64..60, 12),
    ) {
        let keyring = keyring();
        let mut window = ReplayWindow::new(capacity);
        let mut admitted = HashSet::new();
        for (id, now) in steps {
            let ttl = Duration::from_millis(lifetimes[usize::try_from(id).unwrap()]);
            let message = keyring.sign(draft(id, u64::try_from(id).unwrap() * 3, ttl));
            let now = Timestamp::from_millis(now);
            if message.is_expired(now) {
                continue;
            }
            if window.admit(&message, now).is_ok() {
                prop_assert!(admitted.insert(id), "message {id} was admitted twice");
            }
            prop_assert!(window.len() <= capacity);
        }
    }

    /// With room for all of them, nothing fresh is refused.
    #[test]
    fn a_window_that_is_large_enough_refuses_only_repetitions(ids in prop::collection::vec(0u128..50, 1..100)) {
        let keyring = keyring();
        let mut window = ReplayWindow::new(50);
        prop_assert!(window.is_empty());
        let mut seen: HashMap<u128, ()> = HashMap::new();
        for id in ids {
            let message = keyring.sign(draft(id, 10, super::DEFAULT_TTL));
            let fresh = seen.insert(id, ()).is_none();
            prop_assert_eq!(window.admit(&message, Timestamp::from_millis(20)).is_ok(), fresh);
        }
    }
}

#[test]
fn keys_rotate_without_a_gap() {
    let first = keyring();
    let old = first.sign(draft(1, 0, super::DEFAULT_TTL));
    let second = first.rotated(key(8, 0x11));
    assert_eq!(second.current_id(), KeyId(8));
    let new = second.sign(draft(2, 0, super::DEFAULT_TTL));
    assert_eq!(new.key_id(), KeyId(8));
    assert_eq!(second.verify(&old), Ok(()));
    assert_eq!(second.verify(&new), Ok(()));
    assert_eq!(first.verify(&new), Err(VerifyError::UnknownKey(KeyId(8))), "who has not heard of the rotation says so");

    let third = second.rotated(key(9, 0x22));
    assert_eq!(third.verify(&old), Ok(()));
    let mut later = third;
    let mut rotations = 2_u8;
    while later.verify(&old).is_ok() {
        later = later.rotated(key(8 + u32::from(rotations), 0x33));
        rotations += 1;
        assert!(usize::from(rotations) <= Keyring::MAX_OTHERS + 1, "keys are kept without a bound");
    }
    assert_eq!(usize::from(rotations), Keyring::MAX_OTHERS + 1, "so many rotations are remembered");
    assert_eq!(later.verify(&old), Err(VerifyError::UnknownKey(KeyId(7))));
}

#[test]
fn another_key_under_the_same_id_does_not_verify() {
    let message = keyring().sign(draft(1, 0, super::DEFAULT_TTL));
    assert_eq!(Keyring::new(key(7, 0x5b)).verify(&message), Err(VerifyError::BadSignature));
}

#[test]
fn a_key_is_never_printed() {
    let printed = format!("{:?}", keyring());
    assert!(!printed.contains("90") && !printed.contains("5a"), "{printed}");
}

#[test]
fn a_message_counts_up_to_and_including_its_last_millisecond() {
    let message = keyring().sign(draft(1, 1_000, Duration::from_millis(500)));
    assert_eq!(message.expires_at(), Timestamp::from_millis(1_500));
    assert!(!message.is_expired(Timestamp::from_millis(1_500)));
    assert!(message.is_expired(Timestamp::from_millis(1_501)));
}

#[test]
fn a_payload_is_an_object_of_bounded_size() {
    assert!(Payload::from_value(&[1, 2]).is_err());
    let fits = Map::from_iter([("a".to_owned(), Value::String("x".repeat(super::MAX_PAYLOAD_BYTES - 8)))]);
    let payload = Payload::from_object(&fits).unwrap();
    assert_eq!(payload.as_str().len(), super::MAX_PAYLOAD_BYTES);
    let over = Map::from_iter([("a".to_owned(), Value::String("x".repeat(super::MAX_PAYLOAD_BYTES - 7)))]);
    assert!(Payload::from_object(&over).is_err());
    assert_eq!(format!("{payload:?}"), "Payload(262144 bytes)", "user data does not belong into logs");
}
