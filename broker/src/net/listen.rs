//! Binds listeners and accepts connections, dealing them out to the shards in turn.
//! Decides which thread a connection lives on; never what is said on it.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A bound address and the listener's name.
#[derive(Debug)]
pub struct Bound {
    /// `PLAINTEXT` and the like.
    pub name: String,
    /// The socket; accepting begins when the node is ready.
    pub socket: TcpListener,
    /// Where it really listens (port 0 was replaced).
    pub address: SocketAddr,
}

/// Binds one listener. `localhost` means both loopback addresses, if the machine has both.
pub fn bind(name: &str, host: &str, port: u16) -> io::Result<Vec<Bound>> {
    let mut bound: Vec<Bound> = Vec::new();
    let mut refused = None;
    for address in addresses(host, port)? {
        // All addresses of one listener share a port, also when the system chose it.
        let port = bound
            .first()
            .map_or(address.port(), |first| first.address.port());
        match bind_one(SocketAddr::new(address.ip(), port)) {
            Ok(socket) => {
                let address = socket.local_addr()?;
                bound.push(Bound {
                    name: name.to_owned(),
                    socket,
                    address,
                });
            }
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host.is_empty() {
        return Ok(vec![SocketAddr::from(([0u16; 8], port))]);
    }
    if host == "localhost" {
        return Ok(vec![
            SocketAddr::from(([127, 0, 0, 1], port)),
            SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port)),
        ]);
    }
    Ok((host, port).to_socket_addrs()?.collect())
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
