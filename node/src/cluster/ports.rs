//! Which ports a node takes when nobody has said so and the usual ones are taken: another node of the same machine.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;
use tokio::time::Instant;

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

/// The smallest offset at which every port is free; `None` when there is none. `is_free` says whether a port can be listened on.
pub(crate) fn choose(wanted: &[Wanted], is_free: impl Fn(&Wanted) -> bool) -> Option<u16> {
    let fits = |offset: &u16| {
        wanted.iter().all(|want| {
            // 0 takes any free port, with or without an offset.
            want.port == 0 || want.shifted(*offset).is_some_and(|want| is_free(&want))
        })
    };
    (0..ATTEMPTS).map(|attempt| attempt * STRIDE).find(fits)
}

/// The first port from `want` on that is free; `want` itself when none of the next ones is.
pub(crate) fn first_free(want: Wanted, is_free: impl Fn(&Wanted) -> bool) -> u16 {
    let ports = (0..ATTEMPTS).filter_map(|step| want.shifted(step));
    ports.into_iter().find(is_free).map_or(want.port, |found| found.port)
}

impl Wanted {
    /// The same with the port moved; `None` beyond the last port.
    pub(crate) fn shifted(self, offset: u16) -> Option<Self> {
        Some(Self { port: self.port.checked_add(offset)?, ..self })
    }

    const fn protocol(&self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", SocketAddr::new(self.bind, self.port), self.protocol())
    }
}

/// Whether the port can be listened on now.
pub(crate) fn is_free(want: &Wanted) -> bool {
    want.port == 0 || try_bind(want).is_ok()
}

fn try_bind(want: &Wanted) -> std::io::Result<()> {
    let address = SocketAddr::new(want.bind, want.port);
    if want.udp { UdpSocket::bind(address).map(drop) } else { TcpListener::bind(address).map(drop) }
}

/// How long a port may be held by a program that listens on it: this home's own node may just be ending.
const LISTENER_PATIENCE: Duration = Duration::from_secs(3);
/// How long a TCP port may be held by a connection: the kernel takes ports for outgoing connections from the same range, and keeps
/// one for a minute after its connection has ended.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(75);
/// How long a UDP port may be held: programs that ask and do not serve let go of it within seconds.
const DATAGRAM_PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked whether a port is free.
const POLL: Duration = Duration::from_millis(50);

/// A port stayed taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PortTaken {
    /// By a program that listens there.
    #[error("{0} is taken by another program that listens there")]
    Listener(Wanted),
    /// By an outgoing connection of some program.
    #[error("{0} is taken by an outgoing connection of another program, and stayed taken for {seconds} s", seconds = CONNECTION_PATIENCE.as_secs())]
    Connection(Wanted),
    /// By a program that has bound it.
    #[error("{0} is taken by another program")]
    Socket(Wanted),
}

/// Waits until every port is free: a process that is ending and an outgoing connection let go of them. `told` hears of the first
/// port that has to be waited for.
///
/// # Errors
/// [`PortTaken`] for the first port that stays taken. Reasons other than a taken port are left to those who bind it.
pub(crate) async fn wait_until_free(wanted: &[Wanted], mut told: impl FnMut(&PortTaken)) -> Result<(), PortTaken> {
    let begun = Instant::now();
    let mut waited = false;
    for want in wanted.iter().filter(|want| want.port != 0) {
        while try_bind(want).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse) {
            let (taken, patience) = holder(want);
            if begun.elapsed() >= patience {
                return Err(taken);
            }
            if !std::mem::replace(&mut waited, true) {
                told(&taken);
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// Who has the port, and how long it is worth waiting for it.
fn holder(want: &Wanted) -> (PortTaken, Duration) {
    if want.udp {
        (PortTaken::Socket(*want), DATAGRAM_PATIENCE)
    } else if is_listened_on(want.port).unwrap_or(true) {
        (PortTaken::Listener(*want), LISTENER_PATIENCE)
    } else {
        (PortTaken::Connection(*want), CONNECTION_PATIENCE)
    }
}

/// Whether some program listens on the TCP port; `None` where the system does not tell.
fn is_listened_on(port: u16) -> Option<bool> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let read: Vec<String> = tables.into_iter().flatten().collect();
    (!read.is_empty()).then(|| read.iter().any(|table| has_listener(table, port)))
}

/// Whether a table in the form of `/proc/net/tcp` has a listener on `port`.
fn has_listener(table: &str, port: u16) -> bool {
    /// The kernel's number of the state LISTEN.
    const LISTEN: &str = "0A";
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local =
            fields.next().and_then(|local| local.rsplit_once(':')).map(|(_, port)| u16::from_str_radix(port, 16));
        local == Some(Ok(port)) && fields.nth(1) == Some(LISTEN)
    })
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
        assert_eq!(choose(&wanted(), |_| true), Some(0));
        assert_eq!(choose(&wanted(), |want| want.port >= 47_240), Some(40));
        assert_eq!(choose(&wanted(), |want| want.port != 47_210), Some(STRIDE));
        assert_eq!(choose(&wanted(), |_| false), None);
    }

    #[test]
    fn one_port_moves_alone_when_it_may() {
        let [want, _] = wanted();
        assert_eq!(first_free(want, |_| true), 47_200);
        assert_eq!(first_free(want, |want| want.port > 47_203), 47_204);
        assert_eq!(first_free(want, |_| false), 47_200);
    }

    #[test]
    fn a_listener_is_told_from_a_connection() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
            0: 0100007F:B860 00000000:0000 0A 00000000:00000000\n\
            1: 0100007F:B861 0100007F:46A0 06 00000000:00000000\n";
        assert!(has_listener(table, 0xB860));
        assert!(!has_listener(table, 0xB861) && !has_listener(table, 0x46A0) && !has_listener("", 1));
    }

    fn want(address: SocketAddr) -> Wanted {
        Wanted { bind: address.ip(), port: address.port(), udp: false }
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_somebody_listens_on_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let want = want(listener.local_addr().unwrap());
        let mut told = 0;
        let refused = wait_until_free(&[want], |_| told += 1).await.unwrap_err();
        assert_eq!(refused, PortTaken::Listener(want));
        assert!(refused.to_string().contains(&want.port.to_string()), "{refused}");
        assert_eq!(told, 1, "it is told once that something is waited for");
    }

    #[tokio::test]
    async fn a_connection_on_the_port_is_waited_for() {
        if !std::path::Path::new("/proc/net/tcp").exists() {
            println!("skipped: this needs /proc/net/tcp");
            return;
        }
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (accepted, _) = server.accept().unwrap();
        let want = want(client.local_addr().unwrap());
        let (sender, told) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let waiting = tokio::spawn(async move {
            wait_until_free(&[want], |taken| {
                if let Some(sender) = sender.take() {
                    sender.send(taken.clone()).unwrap();
                }
            })
            .await
        });
        assert_eq!(told.await.unwrap(), PortTaken::Connection(want));
        // The other side closes first, so that this port is free at once.
        drop(accepted);
        drop(client);
        waiting.await.unwrap().unwrap();
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
