//! Listening sockets: bound before the broker registers, accepting once it serves.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use config::Listener;
use rustix::io::Errno;
use rustix::net::sockopt::{set_tcp_congestion, tcp_congestion};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::connections::{Admitted, Connections};

/// How long accepting pauses when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener with the port that it really got.
pub struct BoundListener {
    /// As configured.
    pub listener: Listener,
    /// The socket's address; the port is never 0.
    pub address: SocketAddr,
    socket: std::net::TcpListener,
}

impl BoundListener {
    /// The socket for tokio. Must be called inside the runtime that accepts.
    ///
    /// # Errors
    /// When the socket cannot be registered with the runtime.
    pub fn into_tokio(self) -> io::Result<TcpListener> {
        TcpListener::from_std(self.socket)
    }
}

/// Why a listener could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The host does not resolve to an address of this machine.
    #[error("listener {listener}: the host {host:?} does not resolve: {reason}")]
    Host {
        /// The listener's name.
        listener: String,
        /// Its host.
        host: String,
        /// The resolver's words.
        reason: io::Error,
    },
    /// Somebody holds the port, perhaps another listener of ours.
    #[error(
        "listener {listener}: {address}: Address already in use (who has it: ss -ltnp 'sport = :{}')",
        address.port()
    )]
    Taken {
        /// The listener's name.
        listener: String,
        /// The address that was tried.
        address: SocketAddr,
    },
    /// Any other refusal by the operating system.
    #[error("listener {listener}: cannot listen on {address}: {reason}")]
    Bind {
        /// The listener's name.
        listener: String,
        /// The address that was tried.
        address: SocketAddr,
        /// The operating system's words.
        reason: io::Error,
    },
}

/// Binds and listens; connections queue up in the kernel until [`accept_loop`] runs. `backlog` is
/// `socket.listen.backlog.size`; the buffer sizes (`socket.*.buffer.bytes`) are set where given, otherwise the kernel tunes them.
///
/// # Errors
/// [`ListenError`]
pub fn bind(
    listener: &Listener,
    backlog: i32,
    send_buffer_bytes: Option<usize>,
    receive_buffer_bytes: Option<usize>,
) -> Result<BoundListener, ListenError> {
    let mut not_here = None;
    for address in addresses(listener)? {
        match bind_address(address, backlog, send_buffer_bytes, receive_buffer_bytes) {
            Ok(socket) => {
                let address = socket
                    .local_addr()
                    .map_err(|reason| bind_error(listener, address, reason))?;
                return Ok(BoundListener {
                    listener: listener.clone(),
                    address,
                    socket,
                });
            }
            // A machine without IPv6, or a name that has addresses of other machines as well.
            Err(e) if is_not_here(&e) => not_here = not_here.or(Some(bind_error(listener, address, e))),
            // With another address in the place of one that is taken, clients of that would meet somebody else.
            Err(e) => return Err(bind_error(listener, address, e)),
        }
    }
    Err(not_here.unwrap_or_else(|| host_error(listener, io::ErrorKind::NotFound.into())))
}

/// Whether this machine has no such address, or no addresses of its family at all.
fn is_not_here(error: &io::Error) -> bool {
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn host_error(listener: &Listener, reason: io::Error) -> ListenError {
    ListenError::Host {
        listener: listener.name.clone(),
        host: listener.host.clone(),
        reason,
    }
}

fn bind_error(listener: &Listener, address: SocketAddr, reason: io::Error) -> ListenError {
    let listener = listener.name.clone();
    match reason.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken { listener, address },
        _ => ListenError::Bind {
            listener,
            address,
            reason,
        },
    }
}

/// Where to listen, in the order of trying; one socket is bound. No host means every address, IPv6 and IPv4 through one socket where
/// the machine has IPv6. Of a name's addresses Java takes the first IPv4 one, and so do we: `localhost` is 127.0.0.1 for everybody
/// who comes from Kafka, although glibc names ::1 first.
fn addresses(listener: &Listener) -> Result<Vec<SocketAddr>, ListenError> {
    match listener.host.as_str() {
        "" => Ok(vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, listener.port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, listener.port)),
        ]),
        host => match (host, listener.port).to_socket_addrs() {
            Ok(addresses) => Ok(as_java_orders_them(addresses)),
            Err(e) => Err(host_error(listener, e)),
        },
    }
}

/// IPv4 first, otherwise in the resolver's order (`java.net.preferIPv6Addresses` is false unless somebody sets it).
fn as_java_orders_them(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (mut ordered, ipv6): (Vec<_>, Vec<_>) = addresses.partition(SocketAddr::is_ipv4);
    ordered.extend(ipv6);
    ordered
}

fn bind_address(
    address: SocketAddr,
    backlog: i32,
    send_buffer_bytes: Option<usize>,
    receive_buffer_bytes: Option<usize>,
) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // A broker that comes back at once must not wait for connections of its predecessor in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    // Accepted sockets inherit both.
    if let Some(bytes) = send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    // Inherited too: a peer that vanished without a word is noticed although it is we who have an answer pending.
    socket.set_keepalive(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// A congestion control that does not pace. Every kernel has it, and everybody may choose it.
const UNPACED: &str = "reno";

/// Whether the kernel sends on this listener's connections by a clock, as BBR does. Over loopback, where no packet is lost and no
/// link is slow, that is timers without a use: fetches of 6 MiB cost twice the CPU with them.
fn is_paced(listener: &TcpListener) -> bool {
    tcp_congestion(listener).is_ok_and(|name| name.starts_with("bbr"))
}

/// Makes an accepted connection ready to be served.
fn prepare(stream: &TcpStream, peer: SocketAddr, is_paced: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if is_paced
        && peer.ip().to_canonical().is_loopback()
        && let Err(e) = set_tcp_congestion(stream, UNPACED)
    {
        log::debug!("the connection of {peer} stays paced: {e}");
    }
    Ok(())
}

/// Accepts for as long as the task lives, and hands each admitted connection to `serve`.
pub async fn accept_loop(
    listener: TcpListener,
    name: Arc<str>,
    connections: Arc<Connections>,
    serve: impl Fn(TcpStream, Admitted),
) {
    let is_paced = is_paced(&listener);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) if is_about_one_connection(&e) => continue,
            Err(e) => {
                log::error!("listener {name}: accepting failed: {e}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(e) = prepare(&stream, peer, is_paced) {
            log::debug!("listener {name}: the connection of {peer} went before it was served: {e}");
            continue;
        }
        let local = match stream.local_addr() {
            Ok(local) => local,
            Err(e) => {
                log::debug!("listener {name}: the connection of {peer} went before it was served: {e}");
                continue;
            }
        };
        match connections.admit(&name, peer, local) {
            Ok(admitted) => serve(stream, admitted),
            Err(refused) => {
                let ip = peer.ip();
                log::warn!(client:% = ip; "listener {name}: refused {ip}: {refused}");
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use config::SecurityProtocol;

    use super::*;

    fn listener(host: &str, port: u16) -> Listener {
        Listener {
            name: "PLAINTEXT".to_owned(),
            host: host.to_owned(),
            port,
            security_protocol: SecurityProtocol::Plaintext,
        }
    }

    fn bound(host: &str, port: u16) -> Result<SocketAddr, ListenError> {
        bind(&listener(host, port), 5, None, None).map(|bound| bound.address)
    }

    /// A socket that somebody else holds, on a port that was free.
    fn taken(address: impl Into<SocketAddr>) -> (Socket, u16) {
        let address = address.into();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        if address.is_ipv6() {
            socket.set_only_v6(true).expect("an option");
        }
        socket.bind(&address.into()).expect("bound");
        socket.listen(1).expect("listens");
        let address = socket.local_addr().expect("an address").as_socket();
        (socket, address.expect("an internet address").port())
    }

    #[test]
    fn a_port_that_is_taken_on_one_family_is_not_served_on_the_other() {
        for address in [
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        ] {
            let (_socket, port) = taken(address);
            match bound("", port) {
                Err(taken @ ListenError::Taken { address: tried, .. }) => {
                    let expected = format!(
                        "listener PLAINTEXT: {tried}: Address already in use (who has it: ss -ltnp 'sport = :{port}')"
                    );
                    assert_eq!((tried.port(), taken.to_string()), (port, expected));
                }
                other => panic!("{address} is in use, but {other:?}"),
            }
        }
    }

    #[test]
    fn a_name_is_bound_as_java_binds_it() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let (six, four, other) = (address("[::1]:1"), address("127.0.0.1:1"), address("127.0.0.2:1"));
        assert_eq!(as_java_orders_them([six, four, other].into_iter()), [four, other, six]);
        assert_eq!(as_java_orders_them([six].into_iter()), [six]);
        assert!(bound("localhost", 0).expect("bound").is_ipv4());
    }

    #[tokio::test]
    async fn what_comes_over_loopback_is_not_paced() {
        let listener = TcpListener::bind("[::]:0").await.expect("bound");
        let default = tcp_congestion(&listener).expect("a name");
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().expect("an address").port()));
        for (peer, is_paced, expected) in [
            (None, true, UNPACED),
            (None, false, &default),
            (Some("192.0.2.1:1"), true, &default),
        ] {
            let client = TcpStream::connect(local);
            let (client, accepted) = tokio::join!(client, listener.accept());
            let (stream, loopback) = accepted.expect("accepted");
            let peer = peer.map_or(loopback, |peer| peer.parse().expect("an address"));
            prepare(&stream, peer, is_paced).expect("prepared");
            assert_eq!(tcp_congestion(&stream).expect("a name"), expected, "{peer}");
            assert!(stream.nodelay().expect("an option"));
            drop(client);
        }
    }

    #[test]
    fn an_address_that_is_not_of_this_machine_is_named() {
        match bound("192.0.2.1", 0) {
            Err(ListenError::Bind { address, .. }) => assert_eq!(address.ip().to_string(), "192.0.2.1"),
            other => panic!("a documentation address is {other:?}"),
        }
    }
}
