//! The listeners that are open, and how they become those of another configuration while requests
//! run: what stays is kept as it is, what is new is bound before anything is changed, what is gone
//! accepts no more and lets its connections end.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use whodunit_conf::schema::address::Address;
use whodunit_conf::schema::listener::{HttpsRedirect, Listener as Section, Upgrade};
use whodunit_conf::{Checked, Config, Problems, Step};
use whodunit_pingora::{House, Listener, Redirect, Terms};

use super::Refusal;
use super::inherited::Inherited;
use super::listen::{self, Bound};
use crate::gateway::Gateway;
use crate::{notice, secure};

/// How often it is looked whether the connections of a listener that is gone have ended.
const OFTEN: Duration = Duration::from_millis(20);

/// All listeners.
pub(super) struct Floor {
    house: House<Gateway>,
    runtime: Handle,
    open: Mutex<Vec<Open>>,
    closed: AtomicBool,
}

/// One that is open.
#[derive(Clone)]
struct Open {
    written: Address,
    at: Option<SocketAddr>,
    listener: Arc<Listener>,
    /// The terms in force.
    terms: Terms,
    stop: Arc<watch::Sender<bool>>,
    /// Its socket, for a successor, as long as connections are accepted.
    socket: Arc<Mutex<Option<OwnedFd>>>,
}

/// What the listeners are to become, with everything at hand that it takes.
pub(super) struct Change {
    /// Each with its socket, if it is new.
    listeners: Vec<(Open, Option<Bound>)>,
    /// What is probably not meant.
    pub(super) doubts: Problems,
}

impl Change {
    /// The addresses that will be listened on.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|(open, _)| open.at).collect()
    }

    /// The names that the listeners will have.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.listeners.iter().map(|(open, _)| open.listener.name())
    }
}

impl Floor {
    pub(super) fn new(house: House<Gateway>, runtime: Handle) -> Self {
        Self { house, runtime, open: Mutex::default(), closed: AtomicBool::default() }
    }

    /// Prepares for the listeners of a configuration. `bound` are sockets that are there already,
    /// in the order of those listeners; others are bound where no listener has them.
    ///
    /// # Errors
    /// Each that cannot be bound, and each file of theirs that cannot be used; then nothing has
    /// changed.
    pub(super) fn prepare(&self, checked: &Checked, bound: Vec<Bound>) -> Result<Change, Problems> {
        let mut left = self.locked().clone();
        let mut bound = bound.into_iter();
        let (mut listeners, mut wrong, mut doubts) = (Vec::new(), Vec::new(), Vec::new());
        for (place, section) in checked.config.listeners.iter().enumerate() {
            // Several may be written alike: port 0 is another one each time.
            let kept = left.iter().position(|open| open.written == section.address);
            let kept = kept.map(|place| left.remove(place));
            let before = kept.as_ref().and_then(|open| open.terms.tls.as_ref());
            let tls = match section.tls.as_ref().map(|tls| secure::load(place, tls, before)) {
                Some(Ok(secured)) => {
                    doubts.extend(secured.doubts);
                    Some(secured.tls)
                }
                Some(Err(found)) => {
                    wrong.extend(found);
                    None
                }
                None => None,
            };
            let (h2c, proxy_protocol) = (section.h2c, section.proxy_protocol);
            let redirect = section.redirect.as_ref().map(sent);
            let terms = Terms { h2c, proxy_protocol, redirect, tls };
            if let Some(kept) = kept {
                if let Err(refusal) = listen::permit(section) {
                    let keys = [Step::Key("listeners"), Step::Index(place), Step::Key("mode")];
                    wrong.push((keys.to_vec(), refusal.0));
                }
                listeners.push((Open { terms, ..kept }, None));
                continue;
            }
            let bind = || {
                listen::bind_one(section, &Inherited::default(), &|| self.goers(&checked.config))
            };
            let opened = bound.next().map_or_else(bind, Ok).and_then(|socket| {
                let open = Open::of(section, &socket, terms)?;
                Ok((open, Some(socket)))
            });
            match opened {
                Ok(opened) => listeners.push(opened),
                Err(refusal) => {
                    let keys = [Step::Key("listeners"), Step::Index(place), Step::Key("address")];
                    wrong.push((keys.to_vec(), refusal.0));
                }
            }
        }
        if wrong.is_empty() {
            Ok(Change { listeners, doubts: checked.warn_at(doubts) })
        } else {
            Err(checked.refuse_at(wrong))
        }
    }

    /// Makes the listeners what they are to become. The connections of one that is gone have this
    /// long to end.
    pub(super) fn become_as(&self, change: Change, grace: Duration) {
        let mut next = Vec::new();
        for (open, socket) in change.listeners {
            match socket {
                Some(socket) => self.serve(&open, socket),
                None => open.listener.change(&open.terms),
            }
            next.push(open);
        }
        let before = std::mem::replace(&mut *self.locked(), next.clone());
        for gone in before {
            if !next.iter().any(|open| Arc::ptr_eq(&open.listener, &gone.listener)) {
                self.close(&gone, grace);
            }
        }
    }

    /// Tells all listeners to accept no more, and all connections to end.
    pub(super) fn close_all(&self) {
        self.closed.store(true, Ordering::Release);
        for open in &*self.locked() {
            open.socket().take();
            open.stop.send_replace(true);
        }
    }

    /// Whether that was done: what is bound from now on is somebody else's affair.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The sockets that connections are accepted from, each with what it was bound for.
    pub(super) fn sockets(&self) -> io::Result<Vec<(Address, OwnedFd)>> {
        let open = self.locked();
        let copies = open.iter().filter_map(|open| {
            let copy = open.socket().as_ref()?.try_clone();
            Some(copy.map(|copy| (open.written.clone(), copy)))
        });
        copies.collect()
    }

    /// The sockets that are of no use by another configuration.
    fn goers(&self, next: &Config) -> io::Result<Vec<OwnedFd>> {
        let stays = |at: &Address| next.listeners.iter().any(|section| section.address == *at);
        let gone = self.sockets()?.into_iter().filter(|(written, _)| !stays(written));
        Ok(gone.map(|(_, socket)| socket).collect())
    }

    fn serve(&self, open: &Open, socket: Bound) {
        let (house, listener) = (self.house.clone(), open.listener.clone());
        let stopped = open.stop.subscribe();
        listen::announce(&socket, open.terms.tls.is_some());
        let _within = self.runtime.enter();
        match socket.into_sockets() {
            Ok(sockets) => {
                self.runtime.spawn(async move { house.serve(sockets, listener, stopped).await });
            }
            Err(error) => notice::say(&format!("listener {}: {error}", open.listener.name())),
        }
    }

    fn close(&self, gone: &Open, grace: Duration) {
        gone.socket().take();
        gone.stop.send_replace(true);
        if let Address::Unix(path) = &gone.written {
            // Whoever connects later is told at once that nobody is there.
            let _ = std::fs::remove_file(path);
        }
        let listener = gone.listener.clone();
        let name = listener.name();
        let open = listener.open();
        notice::say(&format!("listener {name} closed: {open} connections have {grace:?} to end"));
        self.runtime.spawn(async move {
            let deadline = Instant::now() + grace;
            while listener.open() > 0 {
                if Instant::now() >= deadline {
                    let left = listener.open();
                    notice::say(&format!(
                        "listener {}: {left} connections cut off",
                        listener.name()
                    ));
                    return listener.cut();
                }
                sleep(OFTEN).await;
            }
        });
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the clients of a listener are sent.
fn sent(section: &Upgrade) -> Redirect {
    let HttpsRedirect { port, status, except } = section.settings();
    let status = StatusCode::from_u16(status).expect("checked to be one");
    let except = except.iter().map(|prefix| prefix.as_str().to_owned()).collect();
    Redirect { port, status, except }
}

impl Open {
    fn of(section: &Section, socket: &Bound, terms: Terms) -> Result<Self, Refusal> {
        let copy = socket.copy().map_err(|error| {
            Refusal(format!("the socket of {} cannot be kept: {error}", socket.name()))
        })?;
        Ok(Self {
            written: section.address.clone(),
            at: socket.inet(),
            listener: Arc::new(Listener::new(socket.name(), &terms)),
            terms,
            stop: Arc::new(watch::Sender::new(false)),
            socket: Arc::new(Mutex::new(Some(copy))),
        })
    }

    fn socket(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
