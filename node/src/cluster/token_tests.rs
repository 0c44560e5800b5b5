use super::*;
use proptest::prelude::*;

fn token() -> impl Strategy<Value = JoinToken> {
    let addresses = prop::collection::vec(any::<SocketAddr>(), 1..=MAX_ADDRESSES);
    (addresses, any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u64>()).prop_map(
        |(mut addresses, fingerprint, secret, at)| {
            // Flow information and scope do not travel: they mean nothing on another machine.
            for address in &mut addresses {
                *address = SocketAddr::new(address.ip(), address.port());
            }
            JoinToken { addresses, fingerprint, secret: JoinSecret(secret), expires_at: Timestamp::from_millis(at) }
        },
    )
}

proptest! {
    #[test]
    fn a_token_survives_being_written_down(token in token()) {
        let text = token.encode();
        prop_assert!(text.len() <= MAX_CHARACTERS);
        prop_assert!(!text.contains(|c: char| c.is_whitespace() || c == '='));
        prop_assert_eq!(format!("  {text}\n").parse::<JoinToken>(), Ok(token));
    }

    #[test]
    fn what_is_cut_off_is_called_cut_off(token in token(), cut in 1usize..400) {
        let text = token.encode();
        let cut = cut.min(text.len() - PREFIX.len());
        let error = text[..text.len() - cut].parse::<JoinToken>().unwrap_err();
        prop_assert!(matches!(error, TokenError::Truncated { .. }), "{}", error);
    }

    #[test]
    fn one_wrong_character_is_noticed(token in token(), at in 0usize..10_000, with in "[A-Za-z0-9_-]") {
        let text = token.encode();
        let at = PREFIX.len() + at % (text.len() - PREFIX.len());
        let mut wrong = text.clone();
        wrong.replace_range(at..=at, &with);
        // The last character may carry bits that no byte has.
        if wrong != text && at + 1 < text.len() {
            prop_assert!(wrong.parse::<JoinToken>().is_err());
        }
    }

    #[test]
    fn anything_else_is_an_error_and_no_panic(text in "\\PC{0,80}") {
        prop_assert!(text.parse::<JoinToken>().is_err());
        let _ = format!("{PREFIX}{text}").parse::<JoinToken>();
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let parse = |text: &str| text.parse::<JoinToken>().unwrap_err();
    assert_eq!(parse(""), TokenError::NotAToken);
    assert_eq!(parse("hello"), TokenError::NotAToken);
    assert_eq!(parse("octopus_AAAA"), TokenError::NotAToken);
    assert_eq!(parse("octo2_AAAA"), TokenError::OtherVersion("2".to_owned()));
    assert_eq!(parse("octo1_AA AA"), TokenError::BadCharacter(' '));
    assert_eq!(parse("octo1_"), TokenError::Truncated { have: 0, want: 2 });
    let empty = JoinToken {
        addresses: Vec::new(),
        fingerprint: [1; 32],
        secret: JoinSecret([2; 32]),
        expires_at: Timestamp::EPOCH,
    };
    assert_eq!(parse(&empty.encode()), TokenError::NoAddress);
    let address = "192.0.2.1:47210".parse().unwrap();
    let good = JoinToken { addresses: vec![address; 20], ..empty };
    assert_eq!(good.encode().parse::<JoinToken>().unwrap().addresses.len(), MAX_ADDRESSES);
    assert_eq!(parse(&format!("{}AAAA", good.encode())), TokenError::TooLong);
}

#[test]
fn the_secret_is_not_shown_and_named_by_its_digest() {
    let secret = JoinSecret([7; 32]);
    assert!(!format!("{secret:?}").contains('7'));
    assert_eq!(secret.id().len(), 16);
    assert!(hex(&secret.digest()).starts_with(&secret.id()));
}
