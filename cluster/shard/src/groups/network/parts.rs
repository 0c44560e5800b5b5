//! Entries that are longer than a request may be, in parts: how they are cut and how they are put together again. Pure: the time
//! comes from outside.
//!
//! Whatever is in a log can be replicated: no bound of what may be proposed, and no change of such a bound, stands between a
//! leader and its followers.

use super::wire::AppendPart;
use crate::raft::GroupId;
use bytes::Bytes;
use octopussy_core::ids::NodeId;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The bytes of a part: little enough to pass within its time on a slow line, on which the others of its lane wait for it.
const PART_BYTES: usize = 256 * 1024;

/// The longest request that is put together: several times what a request of a client may carry, so that it is longer than any
/// entry that has ever been proposed.
const WHOLE_BYTES: u64 = 128 * 1024 * 1024;

/// The bytes of all requests that are being put together at once. A leader whose part finds no room tries again.
const BYTES: u64 = 2 * WHOLE_BYTES;

/// After this time without another part a request is given up: its leader has.
const STALE: Duration = Duration::from_secs(30);

/// The parts of a request that is `whole` when it is put together.
pub(super) fn cut(group: GroupId, number: u64, whole: &Bytes) -> impl Iterator<Item = AppendPart> + '_ {
    let total = whole.len() as u64;
    (0..whole.len()).step_by(PART_BYTES).map(move |from| AppendPart {
        group,
        number,
        total,
        from: from as u64,
        bytes: whole.slice(from..(from + PART_BYTES).min(whole.len())),
    })
}

/// Why a part is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It does not follow the one before it.
    Astray,
    /// There is no room for its request now.
    NoRoom,
    /// Its request is longer than any may be.
    TooLong,
}

impl Refused {
    /// In words fit for the peer.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Astray => "it does not follow the one before it",
            Self::NoRoom => "too much is being put together",
            Self::TooLong => "the entry is longer than any may be",
        }
    }
}

/// A request that is being put together.
struct Assembly {
    number: u64,
    total: u64,
    bytes: Vec<u8>,
    since: Instant,
}

/// The requests that are being put together: at most one of each peer for each group.
#[derive(Default)]
pub(super) struct Assemblies(HashMap<(NodeId, GroupId), Assembly>);

impl Assemblies {
    /// Takes a part of a request of `peer`. Answers with the whole request when it was the last one.
    pub(super) fn take(&mut self, peer: NodeId, part: AppendPart, now: Instant) -> Result<Option<Vec<u8>>, Refused> {
        let AppendPart { group, number, total, from, bytes } = part;
        let key = (peer, group);
        if from == 0 {
            self.0.remove(&key);
            self.make_room(total, now)?;
            self.0.insert(key, Assembly { number, total, bytes: Vec::new(), since: now });
        }
        let Some(assembly) = self.0.get_mut(&key) else { return Err(Refused::Astray) };
        let follows = assembly.number == number && assembly.total == total && assembly.bytes.len() as u64 == from;
        let end = from.saturating_add(bytes.len() as u64);
        if !follows || bytes.is_empty() || end > total {
            self.0.remove(&key);
            return Err(Refused::Astray);
        }
        assembly.bytes.extend_from_slice(&bytes);
        assembly.since = now;
        if end < total {
            return Ok(None);
        }
        Ok(self.0.remove(&key).map(|assembly| assembly.bytes))
    }

    fn make_room(&mut self, total: u64, now: Instant) -> Result<(), Refused> {
        if total > WHOLE_BYTES {
            return Err(Refused::TooLong);
        }
        self.0.retain(|_, assembly| now.saturating_duration_since(assembly.since) < STALE);
        let taken: u64 = self.0.values().map(|assembly| assembly.total).sum();
        if taken + total > BYTES { Err(Refused::NoRoom) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PEER: NodeId = NodeId([7; 16]);
    const GROUP: GroupId = GroupId(3);

    fn whole(bytes: usize) -> Bytes {
        (0..bytes).map(|at| at.to_le_bytes()[at % 2]).collect()
    }

    fn put(assemblies: &mut Assemblies, parts: impl Iterator<Item = AppendPart>) -> Option<Vec<u8>> {
        parts.fold(None, |_, part| assemblies.take(PEER, part, Instant::now()).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_cut_is_put_together_again(bytes in 1..3 * PART_BYTES + 2) {
            let (whole, mut assemblies) = (whole(bytes), Assemblies::default());
            let parts: Vec<_> = cut(GROUP, 1, &whole).collect();
            prop_assert_eq!(parts.len(), bytes.div_ceil(PART_BYTES));
            prop_assert!(put(&mut assemblies, parts.into_iter()) == Some(whole.to_vec()));
            prop_assert!(assemblies.0.is_empty(), "nothing is left behind");
        }
    }

    #[test]
    fn parts_of_two_tries_are_never_mixed() {
        let whole = whole(3 * PART_BYTES);
        let of = |number| cut(GROUP, number, &whole).collect::<Vec<_>>();
        let (first, second) = (of(1), of(2));
        let mut assemblies = Assemblies::default();
        let mut take = |part: &AppendPart| assemblies.take(PEER, part.clone(), Instant::now());
        assert_eq!(take(&first[1]), Err(Refused::Astray), "nothing was begun");
        assert_eq!(take(&first[0]), Ok(None));
        assert_eq!(take(&second[0]), Ok(None), "a new try replaces the one before");
        assert_eq!(take(&first[1]), Err(Refused::Astray));
        assert_eq!(take(&second[1]), Err(Refused::Astray), "what was mixed is given up as a whole");
        assert_eq!(take(&first[0]), Ok(None));
        assert_eq!(take(&first[2]), Err(Refused::Astray), "a part is missing");
        let mut longer = first[0].clone();
        longer.total = 5;
        assert_eq!(take(&longer), Err(Refused::Astray), "it is longer than it says");
    }

    #[test]
    fn what_is_put_together_is_bounded_and_does_not_stay() {
        let begin = |group, total| AppendPart {
            group: GroupId(group),
            number: 1,
            total,
            from: 0,
            bytes: Bytes::from_static(&[1]),
        };
        let (mut assemblies, now) = (Assemblies::default(), Instant::now());
        assert_eq!(assemblies.take(PEER, begin(1, WHOLE_BYTES + 1), now), Err(Refused::TooLong));
        assert_eq!(assemblies.take(PEER, begin(1, WHOLE_BYTES), now), Ok(None));
        assert_eq!(assemblies.take(PEER, begin(2, WHOLE_BYTES), now), Ok(None));
        assert_eq!(assemblies.take(PEER, begin(3, 2), now), Err(Refused::NoRoom));
        assert_eq!(assemblies.take(PEER, begin(1, WHOLE_BYTES), now), Ok(None), "its own place is free for a new try");
        assert_eq!(assemblies.take(PEER, begin(3, 2), now + STALE), Ok(None), "the others were given up");
    }
}
