//! How often somebody may ask to join.

use crate::bucket::Bucket;
use crate::limits::{JOIN_CONCURRENT, JOIN_KEPT, JOIN_OF_ONE_SOURCE, JOIN_RATE, JOIN_SOURCES};
use crate::slots::{Slot, Slots, source};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Counts the attempts to join by source address.
pub(crate) struct Doorkeeper {
    sources: Mutex<HashMap<IpAddr, Bucket>>,
    serving: Arc<Slots>,
}

impl Doorkeeper {
    pub(crate) fn new() -> Arc<Self> {
        let serving = Slots::new(JOIN_CONCURRENT, JOIN_OF_ONE_SOURCE, JOIN_KEPT);
        Arc::new(Self { sources: Mutex::default(), serving })
    }

    /// Lets an attempt in, unless there are too many of them or too many from that address. A source is counted before it
    /// takes a place, so that one which asks too often takes none.
    pub(crate) fn admit(&self, address: IpAddr, known: impl FnOnce() -> bool, now: Instant) -> Option<Slot> {
        if !self.may_ask(address, now) {
            return None;
        }
        self.serving.take(address, known)
    }

    fn may_ask(&self, address: IpAddr, now: Instant) -> bool {
        let mut sources = self.sources.lock();
        if sources.len() >= JOIN_SOURCES && !sources.contains_key(&source(address)) {
            let oldest = sources.iter().min_by_key(|(_, bucket)| bucket.last()).map(|(source, _)| *source);
            oldest.map(|oldest| sources.remove(&oldest));
        }
        sources.entry(source(address)).or_insert_with(|| Bucket::new(JOIN_RATE, now)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_address_cannot_search_and_does_not_hinder_others() {
        let (keeper, now) = (Doorkeeper::new(), Instant::now());
        let admitted = |address: &str, now| keeper.admit(address.parse().unwrap(), || false, now).is_some();
        let granted = (0..100).filter(|_| admitted("192.0.2.1", now)).count();
        assert_eq!(granted, 5);
        assert!(admitted("192.0.2.2", now));
        assert_eq!((0..20).filter(|last| admitted(&format!("2001:db8::{last}"), now)).count(), 5);
        assert!(admitted("192.0.2.1", now + Duration::from_secs(2)));
        for number in 0..3 * JOIN_SOURCES {
            let [a, b] = u16::try_from(number).unwrap().to_be_bytes();
            keeper.admit(IpAddr::from([10, 0, a, b]), || false, now + Duration::from_secs(3));
        }
        assert!(keeper.sources.lock().len() <= JOIN_SOURCES);
    }

    #[test]
    fn only_so_many_are_served_at_once_and_members_find_a_place() {
        let (keeper, now) = (Doorkeeper::new(), Instant::now());
        let held: Vec<_> = (0..2 * JOIN_CONCURRENT)
            .filter_map(|last| keeper.admit(IpAddr::from([10, 0, 0, last as u8]), || false, now))
            .collect();
        assert_eq!(held.len(), JOIN_CONCURRENT - JOIN_KEPT);
        assert!(keeper.admit(IpAddr::from([10, 0, 1, 1]), || true, now).is_some(), "a member renews its certificate");
    }

    #[test]
    fn one_address_that_never_ends_an_attempt_leaves_places_for_others() {
        let (keeper, start) = (Doorkeeper::new(), Instant::now());
        let held: Vec<_> = (0..120)
            .filter_map(|seconds| {
                let now = start + Duration::from_secs(seconds);
                keeper.admit(IpAddr::from([192, 0, 2, 1]), || false, now)
            })
            .collect();
        assert_eq!(held.len(), JOIN_OF_ONE_SOURCE);
        assert!(keeper.admit(IpAddr::from([192, 0, 2, 2]), || false, start + Duration::from_secs(120)).is_some());
    }
}
