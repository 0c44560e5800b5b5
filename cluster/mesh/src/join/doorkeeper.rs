//! How often somebody may ask to join.

use crate::bucket::Bucket;
use crate::limits::{JOIN_CONCURRENT, JOIN_RATE, JOIN_SOURCES};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the attempts to join by source address.
pub(crate) struct Doorkeeper {
    sources: Mutex<HashMap<IpAddr, Bucket>>,
    serving: Arc<Semaphore>,
}

impl Doorkeeper {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { sources: Mutex::default(), serving: Arc::new(Semaphore::new(JOIN_CONCURRENT)) })
    }

    /// Lets an attempt in, unless there are too many of them or too many from that address.
    pub(crate) fn admit(&self, address: IpAddr, now: Instant) -> Option<OwnedSemaphorePermit> {
        let permit = self.serving.clone().try_acquire_owned().ok()?;
        let mut sources = self.sources.lock();
        if sources.len() >= JOIN_SOURCES && !sources.contains_key(&source(address)) {
            let oldest = sources.iter().min_by_key(|(_, bucket)| bucket.last()).map(|(source, _)| *source);
            oldest.map(|oldest| sources.remove(&oldest));
        }
        sources.entry(source(address)).or_insert_with(|| Bucket::new(JOIN_RATE, now)).take(now).then_some(permit)
    }
}

/// What counts as one source: an IPv4 address, or the /64 that one IPv6 host can draw any address from.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_address_cannot_search_and_does_not_hinder_others() {
        let (keeper, now) = (Doorkeeper::new(), Instant::now());
        let admitted = |address: &str, now| keeper.admit(address.parse().unwrap(), now).is_some();
        let granted = (0..100).filter(|_| admitted("192.0.2.1", now)).count();
        assert_eq!(granted, 5);
        assert!(admitted("192.0.2.2", now));
        assert_eq!((0..20).filter(|last| admitted(&format!("2001:db8::{last}"), now)).count(), 5);
        assert!(admitted("192.0.2.1", now + Duration::from_secs(2)));
        for number in 0..3 * JOIN_SOURCES {
            let [a, b] = u16::try_from(number).unwrap().to_be_bytes();
            keeper.admit(IpAddr::from([10, 0, a, b]), now + Duration::from_secs(3));
        }
        assert!(keeper.sources.lock().len() <= JOIN_SOURCES);
    }

    #[test]
    fn only_so_many_are_served_at_once() {
        let (keeper, now) = (Doorkeeper::new(), Instant::now());
        let held: Vec<_> = (0..2 * JOIN_CONCURRENT)
            .filter_map(|last| keeper.admit(IpAddr::from([10, 0, 0, last as u8]), now))
            .collect();
        assert_eq!(held.len(), JOIN_CONCURRENT);
    }
}
