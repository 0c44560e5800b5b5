//! Which ports a node takes when nobody has said so and the usual ones are taken: another node of the same machine.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

/// The distance between two nodes of one machine: further apart than a node's own neighbouring ports, so that none of two
/// nodes' ports meet.
const STRIDE: u16 = 20;
/// How many nodes of one machine find their ports by themselves.
const ATTEMPTS: u16 = 50;

/// A port that a node needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The address it is listened on.
    pub(crate) bind: IpAddr,
    /// The port without an offset.
    pub(crate) port: u16,
    /// Whether it is UDP; otherwise TCP.
    pub(crate) udp: bool,
}

/// The smallest offset at which every port is free, beginning with the one this home has taken before; `None` when there is
/// none. `is_free` says whether a port can be listened on.
pub(crate) fn choose(wanted: &[Wanted], before: Option<u16>, is_free: impl Fn(&Wanted) -> bool) -> Option<u16> {
    let fits = |offset: &u16| {
        wanted.iter().all(|want| {
            // 0 takes any free port, with or without an offset.
            want.port == 0 || want.port.checked_add(*offset).is_some_and(|port| is_free(&Wanted { port, ..*want }))
        })
    };
    before.into_iter().chain((0..ATTEMPTS).map(|attempt| attempt * STRIDE)).find(fits)
}

/// Whether the port can be listened on now.
pub(crate) fn is_free(want: &Wanted) -> bool {
    let address = SocketAddr::new(want.bind, want.port);
    if want.udp { UdpSocket::bind(address).is_ok() } else { TcpListener::bind(address).is_ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> [Wanted; 2] {
        let bind = IpAddr::from([127, 0, 0, 1]);
        [Wanted { bind, port: 47_200, udp: false }, Wanted { bind, port: 47_210, udp: true }]
    }

    #[test]
    fn the_usual_ports_first_and_then_the_next_that_are_free_together() {
        assert_eq!(choose(&wanted(), None, |_| true), Some(0));
        assert_eq!(choose(&wanted(), None, |want| want.port >= 47_240), Some(40));
        assert_eq!(choose(&wanted(), None, |want| want.port != 47_210), Some(STRIDE));
        assert_eq!(choose(&wanted(), None, |_| false), None);
    }

    #[test]
    fn a_home_keeps_the_ports_it_had_while_they_are_free() {
        assert_eq!(choose(&wanted(), Some(60), |_| true), Some(60));
        assert_eq!(choose(&wanted(), Some(60), |want| want.port < 47_250), Some(0));
        assert_eq!(choose(&wanted(), Some(u16::MAX), |_| true), Some(0));
    }

    #[test]
    fn a_socket_is_what_takes_a_port() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let want = Wanted { bind: IpAddr::from([127, 0, 0, 1]), port: taken.local_addr().unwrap().port(), udp: true };
        assert!(!is_free(&want));
        drop(taken);
        assert!(is_free(&want));
    }
}
