//! Places that are hard to reach: ports that refuse, queues that are full, and a network of our
//! own where packets can be lost.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A port that belongs to somebody and accepts nothing: what connects to it is refused.
pub(crate) struct Refusing {
    /// As an endpoint in a configuration.
    pub(crate) endpoint: String,
    _socket: Socket,
}

/// A port whose queue of connections is full: what connects to it hears nothing.
pub(crate) struct Full {
    /// As an endpoint in a configuration.
    pub(crate) endpoint: String,
    listener: Socket,
    queued: Vec<TcpStream>,
}

/// Any port of this machine's own.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn bound(address: SocketAddr) -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&address.into()).expect("a free port");
    let address = socket.local_addr().expect("it is bound").as_socket().expect("it is IPv4");
    (socket, address)
}

impl Refusing {
    pub(crate) fn new() -> Self {
        let (socket, address) = bound(ANY);
        Self { endpoint: address.to_string(), _socket: socket }
    }
}

impl Full {
    /// A listener with the smallest queue there is, still empty.
    pub(crate) fn new() -> Self {
        Self::at(ANY)
    }

    /// The same at this address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let (listener, address) = bound(address);
        listener.listen(0).expect("a bound socket can listen");
        Self { endpoint: address.to_string(), listener, queued: Vec::new() }
    }

    /// Takes one connection out of the queue.
    pub(crate) fn accept(&self) -> TcpStream {
        self.listener.accept().expect("somebody connects").0.into()
    }

    /// Fills the queue up.
    pub(crate) fn fill(&mut self) {
        let address: SocketAddr = self.endpoint.parse().expect("an address");
        // A connection that is not answered within this time found the queue full: on loopback
        // the kernel answers, and at once.
        let soon = Duration::from_millis(500);
        while let Ok(stream) = TcpStream::connect_timeout(&address, soon) {
            self.queued.push(stream);
        }
        assert!(!self.queued.is_empty(), "the queue takes at least one");
    }
}

/// The address in a [`apart`] network that swallows whatever is sent to it.
pub(crate) const SILENT: &str = "10.77.0.2:80";
/// The address in a [`apart`] network that there is no way to.
pub(crate) const UNREACHABLE: &str = "10.78.0.2:80";

/// The address in a [`apart`] network that the machine's administrator has forbidden.
pub(crate) const FORBIDDEN: &str = "10.79.0.2:80";

/// Says that this process runs inside a network of its own.
const INSIDE: &str = "WHODUNIT_TEST_APART";

/// A pair of virtual interfaces. Packets for the silent address are sent to a hardware address
/// that nobody has, so that they are lost without any sign.
const LAYOUT: &str = "ip link set lo up \
    && ip link add w0 type veth peer name w1 \
    && ip addr add 10.77.0.1/24 dev w0 \
    && ip link set w0 up && ip link set w1 up \
    && ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev w0 \
    && ip route add unreachable 10.78.0.0/16 \
    && ip route add prohibit 10.79.0.0/16";

/// Runs `body` in a network namespace of its own, by starting this test program over again inside
/// one for the test called `name`. Where that is not possible, it says so and does not run it.
pub(crate) fn apart(name: &str, body: impl FnOnce()) {
    apart_in(LAYOUT, name, body);
}

/// The same in a network that these commands of a shell lay out.
pub(crate) fn apart_in(layout: &str, name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    // Where packages put what lays a network out, whoever has it on their path.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let probe =
        Command::new("unshare").args(["-rn", "sh", "-c", layout]).env("PATH", &path).output();
    let why = match probe {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(why) = why {
        super::skip(name, &format!("no private network namespace here: {why}"));
        return;
    }
    let program = std::env::current_exe().expect("this program has a path");
    let inside = format!("{layout} && exec \"$0\" --exact {name} --nocapture");
    let status = Command::new("unshare")
        .args(["-rn", "sh", "-c", &inside])
        .arg(program)
        .env("PATH", path)
        .env(INSIDE, "yes")
        .status()
        .expect("it was there a moment ago");
    assert!(status.success(), "{name} failed inside its own network; its output stands above");
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn connect(endpoint: &str) -> std::io::Result<TcpStream> {
        let address = endpoint.parse().expect("an address");
        TcpStream::connect_timeout(&address, Duration::from_millis(500))
    }

    #[test]
    fn places_are_as_hard_to_reach_as_they_say() {
        let refusing = Refusing::new();
        let error = connect(&refusing.endpoint).expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let mut full = Full::new();
        drop(connect(&full.endpoint).expect("the queue is empty"));
        drop(full.accept());
        full.fill();
        let error = connect(&full.endpoint).expect_err("the queue is full");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn a_network_apart_loses_packets() {
        apart("rig::net::tests::a_network_apart_loses_packets", || {
            let error = connect(SILENT).expect_err("nobody hears it");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let error = connect(UNREACHABLE).expect_err("there is no way");
            assert_eq!(error.kind(), ErrorKind::HostUnreachable);
            let error = connect(FORBIDDEN).expect_err("it is forbidden");
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        });
    }
}
