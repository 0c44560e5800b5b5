//! Who is connected to a port: how many in all and from each address, who has to go for somebody new, and who has said
//! nothing for too long.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long somebody has to have been quiet before somebody new may take the place: a handshake takes less.
const GRACE: Duration = Duration::from_secs(1);
/// How often a port says that it turns connections away, however many there are.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// How often connections that have been quiet for too long are looked for.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// The bounds of a port's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Connections in all.
    pub(super) connections: usize,
    /// Connections of one address; of the loopback address as many as there may be, since a proxy may stand there.
    pub(super) of_one_address: usize,
    /// How long a connection may be without its first whole request.
    pub(super) first_request: Duration,
    /// How long a connection may be without a request in progress or news of an answer.
    pub(super) quiet: Duration,
}

/// One connection, as far as its port cares.
pub(super) struct Guest {
    address: IpAddr,
    began: Instant,
    /// When it last did something that counts, in milliseconds since `began`.
    last: AtomicU64,
    handling: AtomicUsize,
    served: AtomicBool,
    upgraded: AtomicBool,
    cut: CancellationToken,
}

impl Guest {
    fn new(address: IpAddr) -> Self {
        Self {
            address,
            began: Instant::now(),
            last: AtomicU64::new(0),
            handling: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            cut: CancellationToken::new(),
        }
    }

    /// It does something that counts.
    pub(super) fn stirs(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// A request of it is handled from now on.
    pub(super) fn begins(&self) {
        self.served.store(true, Ordering::Relaxed);
        self.handling.fetch_add(1, Ordering::Relaxed);
        self.stirs();
    }

    /// A request of it is handled no longer.
    pub(super) fn ends(&self) {
        self.stirs();
        self.handling.fetch_sub(1, Ordering::Relaxed);
    }

    /// It is a WebSocket from now on, which looks after itself.
    pub(super) fn is_upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// Cancelled when it has to go.
    pub(super) const fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// For how long it has been quiet; `None` while it is busy, or about to go.
    fn quiet_for(&self) -> Option<Duration> {
        let busy = self.handling.load(Ordering::Relaxed) > 0 || self.upgraded.load(Ordering::Relaxed);
        if busy || self.cut.is_cancelled() {
            return None;
        }
        Some(self.began.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed))))
    }

    fn overstays(&self, bounds: &Bounds) -> bool {
        let limit = if self.served.load(Ordering::Relaxed) { bounds.quiet } else { bounds.first_request };
        self.quiet_for().is_some_and(|quiet| quiet >= limit)
    }
}

/// The connections of one port.
pub(super) struct Doors {
    purpose: &'static str,
    bounds: Bounds,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    next: u64,
    guests: HashMap<u64, Arc<Guest>>,
    of: HashMap<IpAddr, usize>,
    refused: u64,
    told: Option<Instant>,
}

/// A place among the connections of a port, given back when it is dropped.
pub(super) struct Place {
    doors: Arc<Doors>,
    number: u64,
    guest: Arc<Guest>,
}

impl Place {
    /// The connection that has it.
    pub(super) const fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.doors.inside.lock();
        inside.guests.remove(&self.number);
        if let Some(count) = inside.of.get_mut(&self.guest.address) {
            *count -= 1;
            if *count == 0 {
                inside.of.remove(&self.guest.address);
            }
        }
    }
}

impl Doors {
    pub(super) fn new(purpose: &'static str, bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { purpose, bounds, inside: Mutex::default() })
    }

    /// Lets somebody in. Where there is no place, whoever has been quiet longest goes instead: of the same address when that
    /// has as many as it may. `None`: nobody can go.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = counted(address);
        let mut inside = self.inside.lock();
        let of_address = inside.of.get(&address).copied().unwrap_or(0);
        let too_many_of_address = !address.is_loopback() && of_address >= self.bounds.of_one_address;
        if too_many_of_address || inside.guests.len() >= self.bounds.connections {
            let quiet = inside.guests.values().filter(|guest| !too_many_of_address || guest.address == address);
            let quietest = quiet.filter_map(|guest| Some((guest.quiet_for()?, guest))).max_by_key(|(quiet, _)| *quiet);
            let leaves = quietest.filter(|(quiet, _)| *quiet >= GRACE).map(|(_, guest)| guest.clone());
            self.tell(&mut inside);
            // It gives its place back once it has gone; for a moment there may be one too many for each that goes.
            leaves?.cut.cancel();
        }
        let (number, guest) = (inside.next, Arc::new(Guest::new(address)));
        inside.next += 1;
        inside.guests.insert(number, guest.clone());
        *inside.of.entry(address).or_default() += 1;
        Some(Place { doors: self.clone(), number, guest })
    }

    /// Says, now and then, that there are too many.
    fn tell(&self, inside: &mut Inside) {
        inside.refused += 1;
        if inside.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            let connections = std::mem::take(&mut inside.refused);
            inside.told = Some(Instant::now());
            tracing::warn!(
                port = self.purpose,
                connections,
                "the port has as many connections as it may: quiet ones are closed for new ones, or new ones refused"
            );
        }
    }

    fn sweep(&self) {
        let inside = self.inside.lock();
        for guest in inside.guests.values().filter(|guest| guest.overstays(&self.bounds)) {
            guest.cut.cancel();
        }
    }

    /// Looks for those that have been quiet for too long, until nobody needs the doors any more.
    pub(super) fn keep(self: &Arc<Self>) {
        let doors = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SWEPT_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(doors) = doors.upgrade() else { return };
                doors.sweep();
            }
        });
    }
}

/// What counts as one address: of IPv6 the network of one household.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        other @ (IpAddr::V4(_) | IpAddr::V6(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        Bounds {
            connections: 4,
            of_one_address: 2,
            first_request: Duration::from_secs(10),
            quiet: Duration::from_secs(60),
        }
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// As if everybody had come that much earlier.
    fn age(place: &mut Place, by: Duration) {
        let mut older = Guest::new(place.guest.address);
        older.began = Instant::now().checked_sub(by).unwrap();
        older.served = AtomicBool::new(place.guest.served.load(Ordering::Relaxed));
        place.guest = Arc::new(older);
        place.doors.inside.lock().guests.insert(place.number, place.guest.clone());
    }

    #[test]
    fn one_address_cannot_take_the_places_of_others() {
        let doors = Doors::new("test", bounds());
        let mut first = doors.enter(address(1)).unwrap();
        let _second = doors.enter(address(1)).unwrap();
        assert!(doors.enter(address(1)).is_none(), "nobody of it has been quiet for long");
        let _other = doors.enter(address(2)).unwrap();
        age(&mut first, GRACE);
        let third = doors.enter(address(1)).expect("the quietest of the same address goes");
        assert!(first.guest.cut.is_cancelled());
        drop((first, third));
        assert!(doors.enter(address(1)).is_some(), "a place that was given back is free");
        assert!(doors.enter(address(3)).is_some());
    }

    #[test]
    fn a_full_port_lets_the_quietest_go_and_never_whoever_is_busy() {
        let doors = Doors::new("test", bounds());
        let mut places: Vec<Place> = (1..=4).map(|last| doors.enter(address(last)).unwrap()).collect();
        assert!(doors.enter(address(9)).is_none());
        for (seconds, place) in (2..).zip(&mut places) {
            age(place, Duration::from_secs(seconds));
        }
        places[3].guest.begins();
        places[2].guest.is_upgraded();
        assert!(doors.enter(address(9)).is_some());
        assert!(places[1].guest.cut.is_cancelled(), "the quietest that is not busy");
        assert!(![0, 2, 3].iter().any(|at: &usize| places[*at].guest.cut.is_cancelled()));
    }

    #[test]
    fn the_loopback_address_and_one_ipv6_network_are_counted_as_they_should_be() {
        let doors = Doors::new("test", bounds());
        let here: Vec<_> = (0..4).map(|_| doors.enter(IpAddr::from([127, 0, 0, 1]))).collect();
        assert!(here.iter().all(Option::is_some), "a proxy on this machine speaks for many");
        assert!(doors.enter(IpAddr::from([127, 0, 0, 1])).is_none());
        let ip = |text: &str| counted(text.parse().unwrap());
        assert_eq!(ip("2001:db8:1:2:3::1"), ip("2001:db8:1:2:ffff::9"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), address(1));
    }

    #[test]
    fn who_asks_nothing_goes_soon_and_who_asked_later() {
        let doors = Doors::new("test", bounds());
        let (mut silent, mut asked, mut busy) =
            (doors.enter(address(1)).unwrap(), doors.enter(address(2)).unwrap(), doors.enter(address(3)).unwrap());
        asked.guest.begins();
        asked.guest.ends();
        age(&mut silent, Duration::from_secs(11));
        age(&mut asked, Duration::from_secs(11));
        age(&mut busy, Duration::from_secs(90));
        busy.guest.begins();
        doors.sweep();
        assert!(silent.guest.cut.is_cancelled());
        assert!(!asked.guest.cut.is_cancelled());
        age(&mut asked, Duration::from_secs(61));
        doors.sweep();
        assert!(asked.guest.cut.is_cancelled());
        assert!(!busy.guest.cut.is_cancelled(), "a request in progress has bounds of its own");
    }
}
