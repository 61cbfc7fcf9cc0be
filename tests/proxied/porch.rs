//! What stands before an origin, and takes the header of the PROXY protocol off each connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::rig::PATIENCE;

/// A listening porch. What is said on it is passed on to the origin behind; it goes with the test.
pub(super) struct Porch {
    /// As an endpoint in a configuration.
    pub(super) endpoint: String,
    greetings: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Porch {
    /// One before this origin.
    pub(super) fn before(origin: &str) -> Self {
        let origin: SocketAddr = origin.parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = listener.local_addr().expect("it is bound").to_string();
        let greetings = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        std::thread::spawn({
            let greetings = greetings.clone();
            move || {
                while let Ok((near, _)) = listener.accept() {
                    let greetings = greetings.clone();
                    std::thread::spawn(move || pass(&near, origin, &greetings));
                }
            }
        });
        Self { endpoint, greetings }
    }

    /// The headers so far, one a connection.
    pub(super) fn greetings(&self) -> Vec<Vec<u8>> {
        self.greetings.lock().expect("nobody panics with it").clone()
    }
}

fn pass(near: &TcpStream, origin: SocketAddr, greetings: &Mutex<Vec<Vec<u8>>>) {
    let Some(greeting) = greeting(near) else { return };
    greetings.lock().expect("nobody panics with it").push(greeting);
    let far = TcpStream::connect_timeout(&origin, PATIENCE).expect("the origin listens");
    for end in [near, &far] {
        end.set_nodelay(true).expect("Nagle can be turned off");
    }
    std::thread::scope(|scope| {
        scope.spawn(|| copy(near, &far));
        copy(&far, near);
    });
}

/// What stands in front of a proxy, and puts a header before what the client sends first, in one
/// piece. It serves one connection.
pub(super) struct Front {
    pub(super) address: SocketAddr,
}

impl Front {
    /// One before this proxy.
    pub(super) fn of(proxy: SocketAddr, header: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            let (near, _) = listener.accept().expect("somebody comes");
            let far = TcpStream::connect_timeout(&proxy, PATIENCE).expect("the proxy listens");
            let mut piece = [0; 16 << 10];
            let length = (&near).read(&mut piece).expect("it says something");
            let first = [header, &piece[..length]].concat();
            (&far).write_all(&first).expect("the proxy takes it");
            std::thread::scope(|scope| {
                scope.spawn(|| copy(&near, &far));
                copy(&far, &near);
            });
        });
        Self { address }
    }
}

/// A header as it came, byte by byte, so that nothing after it is read.
fn greeting(mut from: &TcpStream) -> Option<Vec<u8>> {
    let mut greeting = vec![0; 6];
    from.read_exact(&mut greeting).ok()?;
    let mut byte = [0];
    if greeting == b"PROXY " {
        while !greeting.ends_with(b"\r\n") {
            from.read_exact(&mut byte).ok()?;
            greeting.push(byte[0]);
        }
        return Some(greeting);
    }
    greeting.resize(16, 0);
    from.read_exact(&mut greeting[6..]).ok()?;
    assert_eq!(greeting[..12], *b"\r\n\r\n\0\r\nQUIT\n");
    let more = usize::from(u16::from_be_bytes([greeting[14], greeting[15]]));
    greeting.resize(16 + more, 0);
    from.read_exact(&mut greeting[16..]).ok()?;
    Some(greeting)
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut piece = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Write).ok();
}
