//! How a batch lies in a frame.

use crate::{Keyspace, Operation};
use std::ops::Bound;

const PUT: u8 = 0;
const DELETE: u8 = 1;
const DELETE_RANGE: u8 = 2;

const UNBOUNDED: u8 = 0;
const INCLUDED: u8 = 1;
const EXCLUDED: u8 = 2;

/// One change as it lies in a payload.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// A key with its value, which begins at `at` in the payload.
    Put {
        key: &'a [u8],
        at: usize,
        value: &'a [u8],
    },
    Delete(&'a [u8]),
    DeleteRange(Bound<&'a [u8]>, Bound<&'a [u8]>),
}

/// Appends a change to a payload.
///
/// # Errors
/// When a key or value is longer than 4 GiB.
pub(super) fn encode(payload: &mut Vec<u8>, keyspace: Keyspace, operation: &Operation) -> Result<(), TooLong> {
    let kind = match operation {
        Operation::Put(..) => PUT,
        Operation::Delete(_) => DELETE,
        Operation::DeleteRange(_) => DELETE_RANGE,
    };
    payload.extend_from_slice(&[kind, keyspace.number()]);
    match operation {
        Operation::Put(key, value) => put(payload, key, value),
        Operation::Delete(key) => piece(payload, key),
        Operation::DeleteRange(range) => {
            bound(payload, &range.from)?;
            bound(payload, &range.to)
        }
    }
}

/// Appends the setting of a key to a payload, without what stands before it.
fn put(payload: &mut Vec<u8>, key: &[u8], value: &[u8]) -> Result<(), TooLong> {
    piece(payload, key)?;
    piece(payload, value)
}

/// Something does not fit into a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

fn piece(payload: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TooLong> {
    let length = u32::try_from(bytes.len()).map_err(|_| TooLong)?;
    payload.extend_from_slice(&length.to_le_bytes());
    payload.extend_from_slice(bytes);
    Ok(())
}

fn bound(payload: &mut Vec<u8>, bound: &Bound<Vec<u8>>) -> Result<(), TooLong> {
    match bound {
        Bound::Unbounded => {
            payload.push(UNBOUNDED);
            Ok(())
        }
        Bound::Included(key) => {
            payload.push(INCLUDED);
            piece(payload, key)
        }
        Bound::Excluded(key) => {
            payload.push(EXCLUDED);
            piece(payload, key)
        }
    }
}

/// Reads the changes of a payload one after the other.
pub(super) struct Changes<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Changes<'a> {
    pub(super) const fn of(payload: &'a [u8]) -> Self {
        Self { payload, at: 0 }
    }

    /// The next change; `None` at the end.
    ///
    /// # Errors
    /// When the payload is not one that [`encode`] made.
    pub(super) fn next(&mut self) -> Result<Option<(Keyspace, Change<'a>)>, Malformed> {
        if self.at == self.payload.len() {
            return Ok(None);
        }
        let kind = self.byte()?;
        let number = self.byte()?;
        let keyspace = Keyspace::ALL.into_iter().find(|each| each.number() == number).ok_or(Malformed)?;
        let change = match kind {
            PUT => {
                let (_, key) = self.piece()?;
                let (at, value) = self.piece()?;
                Change::Put { key, at, value }
            }
            DELETE => Change::Delete(self.piece()?.1),
            DELETE_RANGE => Change::DeleteRange(self.bound()?, self.bound()?),
            3..=u8::MAX => return Err(Malformed),
        };
        Ok(Some((keyspace, change)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let taken = self.payload.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }

    fn piece(&mut self) -> Result<(usize, &'a [u8]), Malformed> {
        let length = self.take(4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).ok_or(Malformed)?;
        let at = self.at;
        Ok((at, self.take(usize::try_from(length).map_err(|_| Malformed)?)?))
    }

    fn bound(&mut self) -> Result<Bound<&'a [u8]>, Malformed> {
        match self.byte()? {
            UNBOUNDED => Ok(Bound::Unbounded),
            INCLUDED => Ok(Bound::Included(self.piece()?.1)),
            EXCLUDED => Ok(Bound::Excluded(self.piece()?.1)),
            3..=u8::MAX => Err(Malformed),
        }
    }
}

/// A payload that no build of this format made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyRange;
    use proptest::prelude::*;

    fn operation() -> impl Strategy<Value = Operation> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..9);
        let bound = move || {
            prop_oneof![Just(Bound::Unbounded), bytes().prop_map(Bound::Included), bytes().prop_map(Bound::Excluded)]
        };
        prop_oneof![
            (bytes(), bytes()).prop_map(|(key, value)| Operation::Put(key, value)),
            bytes().prop_map(Operation::Delete),
            (bound(), bound()).prop_map(|(from, to)| Operation::DeleteRange(KeyRange { from, to })),
        ]
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_read_again(operations in proptest::collection::vec((0..13_usize, operation()), 0..20)) {
            let mut payload = Vec::new();
            for (space, operation) in &operations {
                encode(&mut payload, Keyspace::ALL[*space], operation).unwrap();
            }
            let mut changes = Changes::of(&payload);
            for (space, operation) in &operations {
                let (keyspace, change) = changes.next().unwrap().unwrap();
                prop_assert_eq!(keyspace, Keyspace::ALL[*space]);
                match (operation, change) {
                    (Operation::Put(key, value), Change::Put { key: found, at, value: read }) => {
                        prop_assert_eq!((key.as_slice(), value.as_slice()), (found, read));
                        prop_assert_eq!(&payload[at..at + value.len()], value.as_slice());
                    }
                    (Operation::Delete(key), Change::Delete(found)) => prop_assert_eq!(key.as_slice(), found),
                    (Operation::DeleteRange(range), Change::DeleteRange(from, to)) => {
                        prop_assert_eq!(range.bounds(), (from, to));
                    }
                    (operation, change) => prop_assert!(false, "{:?} became {:?}", operation, change),
                }
            }
            prop_assert_eq!(changes.next(), Ok(None));
        }

        #[test]
        fn reading_never_panics(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut changes = Changes::of(&payload);
            while let Ok(Some(_)) = changes.next() {}
        }
    }
}
