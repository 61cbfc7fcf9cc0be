//! What all connections of a lab share, and the way of one connection through it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use super::body::Body;
use super::fault::{self, Act};
use super::reply::Turn;
use super::request::{Request, head_length};
use super::script::{Stage, Step};
use super::seen::{Log, Seen};
use super::wire::{After, Stream, Wire};
use super::{good, listing};

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this URL.
    Url(String),
    /// On every path of this port.
    Port(SocketAddr),
    /// On every path of this Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::Port(address) => write!(f, "http://{address}/"),
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Shared by all connections.
#[derive(Debug)]
pub(super) struct House {
    /// Of faults, by name.
    pub(super) places: HashMap<&'static str, Place>,
    pub(super) log: Arc<Log>,
    /// One for each connection that may be open.
    pub(super) room: Arc<Semaphore>,
    connections: AtomicU64,
}

impl House {
    const CONNECTIONS_MAX: usize = 4096;

    pub(super) fn new(places: HashMap<&'static str, Place>) -> Self {
        Self {
            places,
            log: Arc::default(),
            room: Arc::new(Semaphore::new(Self::CONNECTIONS_MAX)),
            connections: AtomicU64::new(0),
        }
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn number(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Reads a request; `None` when the peer has no more.
    pub(super) async fn receive(
        &self,
        wire: &mut Wire,
        connection: u64,
    ) -> io::Result<Option<(Request, Body)>> {
        let Some(raw) = wire.head(head_length).await? else { return Ok(None) };
        let request = Request::parse(raw)?;
        let number = self.log.add(Seen::new(connection, request.line(), request.raw.to_vec()));
        let body = Body::new(&request, Arc::clone(&self.log), number);
        Ok(Some((request, body)))
    }

    /// Serves a connection to the main door. An error means that the peer is gone, or has sent what
    /// is no request: either way there is nobody to tell but the peer.
    pub(super) async fn serve(&self, stream: impl Stream + 'static) -> io::Result<()> {
        let connection = self.number();
        let mut wire = Wire::new(stream);
        let mut fresh = true;
        loop {
            let received = match self.receive(&mut wire, connection).await {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    wire.send(
                        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
                          Content-Length: 35\r\nConnection: close\r\n\r\n\
                          the lab could not read the request\n",
                    )
                    .await?;
                    None
                }
                received => received?,
            };
            let Some((request, body)) = received else { return wire.end(After::Close).await };
            match self.answer(&mut wire, &request, body, fresh).await? {
                After::Next if request.persists() => fresh = false,
                after => return wire.end(after).await,
            }
        }
    }

    async fn answer(
        &self,
        wire: &mut Wire,
        request: &Request,
        mut body: Body,
        fresh: bool,
    ) -> io::Result<After> {
        let named = request.path.strip_prefix("/fault/").and_then(fault::find);
        if let Some(Act::Answer(script)) = named.map(|fault| fault.act) {
            let choice = request.choice;
            return Stage { wire, body: Some(&mut body), choice, fresh }.play(script).await;
        }
        let mut turn = Turn { wire, request, body };
        if request.path == "/" {
            let (kind, page) = listing::page(self, request.field("accept").unwrap_or_default());
            return turn.reply(200, &[("Content-Type", kind)], page.as_bytes()).await;
        }
        if let Some(after) = good::answer(&mut turn).await? {
            return Ok(after);
        }
        let words = match named.and_then(|fault| self.places.get(fault.name)) {
            Some(place) => format!("no path can show this fault: ask {place}\n"),
            None => "no such fault: / lists them all\n".into(),
        };
        turn.say(404, &words).await
    }

    /// Plays a script on a connection before anything is read from it.
    pub(super) async fn greet(
        &self,
        stream: impl Stream + 'static,
        script: &'static [Step],
    ) -> io::Result<()> {
        self.number();
        let mut wire = Wire::new(stream);
        let choice = super::request::Choice::default();
        let mut stage = Stage { wire: &mut wire, body: None, choice, fresh: true };
        let after = stage.play(script).await?;
        wire.end(after).await
    }
}
