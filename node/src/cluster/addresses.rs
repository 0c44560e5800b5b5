//! The addresses of this machine's networks.

use parking_lot::Mutex;
use std::net::{IpAddr, SocketAddr};

/// How many addresses are told at most: a machine with containers has dozens that nobody outside can reach.
const MAX_LOCAL: usize = 16;

/// The addresses that were found last.
static LAST: Mutex<Option<Vec<IpAddr>>> = Mutex::new(None);

/// The addresses under which other machines may reach this one, the likeliest first; empty without a network. Loopback,
/// link-local and container-bridge addresses are left out. When the system does not tell them, those that it told last: a
/// process without descriptors has not lost its network. `None` when it never told any.
pub(crate) fn local_addresses() -> Option<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs().map(|interfaces| {
        usable(interfaces.into_iter().map(|interface| (interface.name.clone(), interface.ip())).collect())
    });
    found_or_last(interfaces, &mut LAST.lock())
}

fn found_or_last(found: std::io::Result<Vec<IpAddr>>, last: &mut Option<Vec<IpAddr>>) -> Option<Vec<IpAddr>> {
    match found {
        Ok(found) => *last = Some(found),
        Err(error) => tracing::warn!(%error, "the addresses of this machine cannot be told now"),
    }
    last.clone()
}

/// Where peers can reach an endpoint that listens on `bound`, the likeliest first. What is configured comes first and, when
/// there is anything, alone.
pub(crate) fn reachable_at(bound: SocketAddr, advertise: &[SocketAddr], local: &[IpAddr]) -> Vec<SocketAddr> {
    if !advertise.is_empty() {
        return advertise.to_vec();
    }
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let fits = |address: &&IpAddr| bound.is_ipv6() || address.is_ipv4();
    let mut found: Vec<SocketAddr> =
        local.iter().filter(fits).map(|address| SocketAddr::new(*address, bound.port())).collect();
    // The last resort, which is right for nodes on one machine: nobody else will find anybody there who has our key.
    found.push(SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), bound.port()));
    found
}

fn usable(interfaces: Vec<(String, IpAddr)>) -> Vec<IpAddr> {
    let bridge = |name: &str| ["docker", "br-", "veth", "virbr", "cni", "flannel"].iter().any(|p| name.starts_with(p));
    let mut found: Vec<IpAddr> = interfaces
        .into_iter()
        .filter(|(name, address)| !bridge(name) && is_routable(*address))
        .map(|(_, address)| address)
        .collect();
    // IPv4 first: home networks route it everywhere.
    found.sort_by_key(|address| (address.is_ipv6(), *address));
    found.dedup();
    found.truncate(MAX_LOCAL);
    found
}

fn is_routable(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_nobody_outside_can_reach_is_left_out() {
        let interfaces = [
            ("lo", "127.0.0.1"),
            ("eth0", "fe80::1"),
            ("eth0", "2001:db8::7"),
            ("docker0", "172.17.0.1"),
            ("wlan0", "192.168.1.9"),
            ("eth0", "10.0.0.3"),
            ("eth0:1", "169.254.3.4"),
        ];
        let found = usable(interfaces.map(|(name, address)| (name.to_owned(), ip(address))).to_vec());
        assert_eq!(found, [ip("10.0.0.3"), ip("192.168.1.9"), ip("2001:db8::7")]);
        let many = (0..60).map(|n| ("eth0".to_owned(), IpAddr::from([10, 0, 0, n]))).collect();
        assert_eq!(usable(many).len(), MAX_LOCAL);
    }

    #[test]
    fn addresses_that_cannot_be_told_now_are_still_what_they_were() {
        let (mut last, full) = (None, || Err(std::io::Error::from_raw_os_error(24)));
        assert_eq!(found_or_last(full(), &mut last), None, "nothing is known, and nothing made up");
        let found = vec![ip("10.0.0.3")];
        assert_eq!(found_or_last(Ok(found.clone()), &mut last), Some(found.clone()));
        assert_eq!(found_or_last(full(), &mut last), Some(found));
        assert_eq!(found_or_last(Ok(Vec::new()), &mut last), Some(Vec::new()), "the network is really gone");
    }

    #[test]
    fn an_endpoint_on_every_network_is_reached_on_each() {
        let any: SocketAddr = "0.0.0.0:47210".parse().unwrap();
        let local = [ip("10.0.0.3"), ip("2001:db8::7")];
        let found = reachable_at(any, &[], &local);
        assert_eq!(found, ["10.0.0.3:47210".parse().unwrap(), "127.0.0.1:47210".parse().unwrap()]);
        assert_eq!(reachable_at("[::]:47210".parse().unwrap(), &[], &local).len(), 3);
        let one: SocketAddr = "10.0.0.3:5".parse().unwrap();
        assert_eq!(reachable_at(one, &[], &local), [one]);
        let public: SocketAddr = "203.0.113.5:4000".parse().unwrap();
        assert_eq!(reachable_at(any, &[public], &local), [public]);
    }
}
