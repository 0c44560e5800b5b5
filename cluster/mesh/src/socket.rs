//! The UDP socket of the endpoint.

use crate::limits::SOCKET_BYTES;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Once;

/// Binds a socket with large buffers. An unspecified IPv6 address takes IPv4 too.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    enlarge(&socket);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Asks for larger buffers and warns once when the kernel does not grant them.
fn enlarge(socket: &Socket) {
    static WARNED: Once = Once::new();
    let _refused = socket.set_recv_buffer_size(SOCKET_BYTES);
    let _refused = socket.set_send_buffer_size(SOCKET_BYTES);
    let received = socket.recv_buffer_size().unwrap_or_default();
    let sent = socket.send_buffer_size().unwrap_or_default();
    if received.min(sent) < SOCKET_BYTES {
        WARNED.call_once(|| {
            tracing::warn!(
                receive_bytes = received,
                send_bytes = sent,
                wanted_bytes = SOCKET_BYTES,
                "the kernel grants the mesh small socket buffers, which drops bursts: \
                 raise net.core.rmem_max and net.core.wmem_max"
            );
        });
    }
}
