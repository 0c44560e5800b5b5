//! Places for those whom nobody has looked at yet: so many at once, so many of one source, and some that are kept for the
//! addresses of nodes that are known.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places.
pub(crate) struct Slots {
    open: Arc<Semaphore>,
    kept: Arc<Semaphore>,
    all: usize,
    of_one_source: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// One of them, given back when it is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    source: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// `all` places, of which one source gets `of_one_source` and `kept` are only for addresses that are known.
    pub(crate) fn new(all: usize, of_one_source: usize, kept: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Arc::new(Semaphore::new(all - kept)),
            kept: Arc::new(Semaphore::new(kept)),
            all,
            of_one_source,
            taken: Mutex::default(),
        })
    }

    /// A place for `address`. Whether it is `known` is only asked when that decides.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, known: impl FnOnce() -> bool) -> Option<Slot> {
        let source = source(address);
        let mut taken = self.taken.lock();
        let many = taken.get(&source).is_some_and(|count| *count >= self.of_one_source);
        let open = || self.open.clone().try_acquire_owned().ok();
        let permit = match (!many).then(open).flatten() {
            Some(permit) => permit,
            None if known() => open().or_else(|| self.kept.clone().try_acquire_owned().ok())?,
            None => return None,
        };
        *taken.entry(source).or_default() += 1;
        drop(taken);
        Some(Slot { slots: self.clone(), source, _permit: permit })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.all - self.open.available_permits() - self.kept.available_permits()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock();
        if let Some(count) = taken.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

/// What counts as one source: an IPv4 address, or the /64 that one IPv6 host can draw any address from.
pub(crate) fn source(address: IpAddr) -> IpAddr {
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

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_source_gets_its_share_and_known_addresses_always_find_a_place() {
        let slots = Slots::new(10, 3, 2);
        let stranger = |address: &str| slots.take(ip(address), || false);
        let mut held: Vec<Slot> = (0..20).filter_map(|_| stranger("192.0.2.1")).collect();
        assert_eq!(held.len(), 3, "one source");
        held.extend((0..20).filter_map(|last| stranger(&format!("2001:db8::{last}"))));
        assert_eq!(held.len(), 6, "one household of IPv6");
        held.extend((0..20).filter_map(|last| stranger(&format!("198.51.100.{last}"))));
        assert_eq!((held.len(), slots.taken()), (8, 8), "strangers leave the last places");
        let member = slots.take(ip("192.0.2.1"), || true);
        assert!(member.is_some(), "a member behind the address of a stranger that asks for much");
        assert!(slots.take(ip("203.0.113.1"), || true).is_some());
        drop(held);
        assert_eq!(slots.taken(), 1);
        assert!(stranger("192.0.2.1").is_some(), "what is given back is free for the same source");
        drop(member);
        assert!(slots.taken.lock().is_empty(), "nothing is kept of those who have gone");
    }
}
