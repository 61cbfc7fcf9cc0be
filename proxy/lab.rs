//! A fault origin: every way in which an origin fails its proxy, on demand, over real sockets.
//!
//! Its main port chooses the fault by path (`/fault/NAME`, with `?delay=` in milliseconds and
//! `?bytes=` where they mean something); faults that need the connection itself have ports of their
//! own. The same port does everything that a sound origin does, and remembers what it was asked.
//! `GET /` lists it all. The bytes are written by hand, as no HTTP library would write most of them.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::Socket;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;

pub use door::FULL_FOR;
pub use fault::{Fault, Needs, Reach, find, table};
pub use good::{Good, good};
pub use house::Place;
pub use pattern::pattern;
pub use seen::Seen;

use fault::Act;
use house::House;
use script::Step;
use sockets::Sockets;

mod body;
mod door;
mod fault;
mod good;
mod house;
mod listing;
mod pattern;
mod range;
mod reply;
mod request;
mod script;
mod seen;
mod sockets;
mod websocket;
mod wire;

/// A running lab. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Lab {
    address: SocketAddr,
    house: Arc<House>,
    tasks: JoinSet<()>,
    _held: Held,
    sockets: Option<Sockets>,
}

/// Sockets that do what they should by being there.
#[derive(Debug, Default)]
struct Held {
    deaf: Vec<Socket>,
    idle: Vec<TcpListener>,
    crowds: Vec<TcpStream>,
}

/// A port that has work to do, once all places are known.
enum Door {
    Greet(TcpListener, &'static [Step]),
    Fill(TcpListener, SocketAddr),
}

const SOCKET: &str = "lab.sock";

/// Starts a lab whose main port is `listen` (port 0: any free one). Its other ports are on the same
/// address, and any.
///
/// # Errors
/// When an address cannot be bound. Where no Unix socket can be made, the lab goes without.
///
/// # Panics
/// Outside a Tokio runtime.
pub async fn start(listen: SocketAddr) -> io::Result<Lab> {
    let front = TcpListener::bind(listen).await?;
    let address = front.local_addr()?;
    let sockets = Sockets::new().ok();
    let mut held = Held::default();
    let mut doors = Vec::new();
    let mut places = HashMap::new();
    for fault in table() {
        let place = match fault.act {
            Act::Answer(_) => Place::Url(format!("http://{address}/fault/{}", fault.name)),
            Act::Orphan => {
                let path = sockets.as_ref().map(|dir| dir.path(fault.name));
                let orphan = path.filter(|p| std::os::unix::net::UnixListener::bind(p).is_ok());
                match orphan {
                    Some(path) => Place::Socket(path),
                    None => continue,
                }
            }
            act => Place::Port(open(act, address, &mut held, &mut doors).await?),
        };
        places.insert(fault.name, place);
    }
    let house = Arc::new(House::new(places));
    let mut tasks = JoinSet::new();
    tasks.spawn(door::front(front, Arc::clone(&house)));
    let side = sockets.as_ref().and_then(|dir| UnixListener::bind(dir.path(SOCKET)).ok());
    let sockets = sockets.filter(|_| side.is_some());
    if let Some(side) = side {
        tasks.spawn(door::side(side, Arc::clone(&house)));
    }
    for door in doors {
        let house = Arc::clone(&house);
        match door {
            Door::Greet(listener, script) => tasks.spawn(door::greet(listener, house, script)),
            Door::Fill(listener, address) => tasks.spawn(door::fill(listener, address, house)),
        };
    }
    Ok(Lab { address, house, tasks, _held: held, sockets })
}

async fn open(
    act: Act,
    main: SocketAddr,
    held: &mut Held,
    doors: &mut Vec<Door>,
) -> io::Result<SocketAddr> {
    let (socket, address) = door::bind(main.ip())?;
    match act {
        Act::Greet(script) => doors.push(Door::Greet(door::listen(socket, 1024)?, script)),
        Act::Fills => doors.push(Door::Fill(door::listen(socket, 0)?, address)),
        Act::Idle => held.idle.push(door::listen(socket, 1024)?),
        Act::Full => {
            held.idle.push(door::listen(socket, 0)?);
            held.crowds.push(door::crowd(address).await?);
        }
        Act::Deaf | Act::Answer(_) | Act::Orphan => held.deaf.push(socket),
    }
    Ok(address)
}

impl Lab {
    /// The main port's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on the main port.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The main port as a Unix socket; `None` where none could be made.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        self.sockets.as_ref().map(|dir| dir.path(SOCKET))
    }

    /// Where a fault is; `None` when there is none of this name, or no place for it here.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.house.places.get(name)
    }

    /// The port of a fault that has one of its own.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<SocketAddr> {
        match self.place(name)? {
            Place::Port(address) => Some(*address),
            Place::Url(_) | Place::Socket(_) => None,
        }
    }

    /// The Unix socket of a fault that has one of its own.
    #[must_use]
    pub fn orphan(&self, name: &str) -> Option<&Path> {
        match self.place(name)? {
            Place::Socket(path) => Some(path),
            Place::Url(_) | Place::Port(_) => None,
        }
    }

    /// Every fault.
    #[must_use]
    pub fn faults(&self) -> &'static [Fault] {
        table()
    }

    /// The requests that have arrived, oldest first; the last 8 MiB of them. Bodies are noted as
    /// they are read: before the answer, where there is one that depends on it.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.house.log.all()
    }

    /// How many connections have been accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.house.connections()
    }

    /// Ends it, and waits until its ports are closed.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
