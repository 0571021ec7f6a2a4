//! Binds listeners and accepts connections, dealing them out to the shards in turn.
//! Decides which thread a connection lives on; never what is said on it.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use sawlog_core::config::Sockets;
use socket2::{Domain, Protocol, Socket, Type};

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
pub fn bind(name: &str, host: &str, port: u16, like: &Sockets) -> io::Result<Vec<Bound>> {
    let mut bound: Vec<Bound> = Vec::new();
    let mut refused = None;
    for address in addresses(host, port)? {
        // All addresses of one listener share a port, also when the system chose it.
        let port = bound
            .first()
            .map_or(address.port(), |first| first.address.port());
        match bind_one(SocketAddr::new(address.ip(), port), like) {
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

fn bind_one(address: SocketAddr, like: &Sockets) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Connections have what their listener had when they came.
    let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
    if let Some(bytes) = like.send_bytes {
        socket.set_send_buffer_size(size(bytes))?;
    }
    if let Some(bytes) = like.receive_bytes {
        socket.set_recv_buffer_size(size(bytes))?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(like.backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;

    #[test]
    fn connections_have_the_buffers_that_were_asked_for() {
        let sizes = |like: &Sockets| {
            let bound = bind("PLAINTEXT", "127.0.0.1", 0, like).unwrap();
            let listener = &bound.first().unwrap().socket;
            listener.set_nonblocking(false).unwrap();
            let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (socket, _) = listener.accept().unwrap();
            let socket = SockRef::from(&socket);
            (
                socket.send_buffer_size().unwrap(),
                socket.recv_buffer_size().unwrap(),
            )
        };
        let asked = Sockets {
            send_bytes: Some(20_000),
            receive_bytes: Some(30_000),
            ..Sockets::default()
        };
        // Linux doubles what it is asked for: half of it is for its own books.
        assert_eq!(sizes(&asked), (40_000, 60_000));
        let own = sizes(&Sockets::default());
        assert!(own.0 > 40_000 && own.1 > 60_000, "{own:?}");
    }
}
