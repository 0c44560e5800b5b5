//! What is written can be read, and what cannot be read says why.

use super::{CodecError, VERSION, decode, decode_with_more, encode};
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_written_is_read(value: (u64, String, Option<Vec<i32>>)) {
        let bytes = encode(&value).unwrap();
        prop_assert_eq!(bytes[0], VERSION);
        prop_assert_eq!(decode::<(u64, String, Option<Vec<i32>>)>(&bytes).unwrap(), value);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = decode::<crate::message::Message>(&bytes);
        let _ = decode::<crate::task::Command>(&bytes);
    }

    #[test]
    fn what_is_put_behind_a_value_disturbs_nobody(value: (u64, String), more: Option<String>) {
        let (older, newer) = (encode(&value).unwrap(), encode(&(&value, &more)).unwrap());
        prop_assert_eq!(&decode::<(u64, String)>(&newer).unwrap(), &value);
        prop_assert_eq!(decode_with_more::<(u64, String), Option<String>>(&older).unwrap(), (value.clone(), None));
        prop_assert_eq!(decode_with_more(&newer).unwrap(), (value, Some(more)));
    }

    #[test]
    fn no_bytes_with_more_behind_make_it_panic(bytes: Vec<u8>) {
        let _ = decode_with_more::<(u64, String), Vec<String>>(&bytes);
    }

    #[test]
    fn a_record_that_is_cut_off_does_not_decode(value: (u64, String), cut in 1usize..8) {
        let bytes = encode(&value).unwrap();
        let kept = bytes.len().saturating_sub(cut).max(1);
        prop_assert!(matches!(decode::<(u64, String)>(&bytes[..kept]), Err(CodecError::Malformed(_))));
    }
}

#[test]
fn a_newer_version_is_refused_with_the_way_out() {
    let mut bytes = encode(&7u32).unwrap();
    bytes[0] = VERSION + 1;
    let error = decode::<u32>(&bytes).unwrap_err();
    assert!(matches!(error, CodecError::NewerVersion { found } if found == VERSION + 1));
    assert!(error.to_string().ends_with("upgrade this node"), "{error}");
}

#[test]
fn nothing_is_not_a_record() {
    assert!(matches!(decode::<u32>(&[]), Err(CodecError::Empty)));
}

#[test]
fn what_cannot_be_written_is_an_error() {
    struct Endless;
    impl serde::Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serde::ser::SerializeSeq::end(serializer.serialize_seq(None)?)
        }
    }
    assert!(matches!(encode(&Endless), Err(CodecError::Malformed(_))));
}
