//! A listener: a name, and what holds for the connections that come in at it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pingora::protocols::raw_connect::ProxyDigest;

use super::entrance::Entrance;
use super::guests::Guests;
use super::redirect::Redirect;
use super::tls::ServerTls;

/// What holds for the connections of a listener.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Whether HTTP/2 is taken without TLS as well, by prior knowledge (RFC 9113 section 3.3).
    /// Default: no.
    pub h2c: bool,
    /// Whether trusted proxies have to tell whose connection it is, by a header of the PROXY protocol
    /// before anything else. From anybody else none is taken. Default: no.
    pub proxy_protocol: bool,
    /// Where its requests are sent instead of being served. Default: nowhere.
    pub redirect: Option<Redirect>,
    /// How its connections are secured. Default: not at all.
    pub tls: Option<ServerTls>,
}

/// A listener, whatever socket it has. Its terms may be changed while it is served: connections
/// that come later go by the new ones.
#[derive(Debug)]
pub struct Listener {
    name: Arc<str>,
    terms: ArcSwap<InForce>,
    guests: Arc<Guests>,
}

/// Terms, and what tells each connection of them.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub(super) digest: Arc<ProxyDigest>,
    pub(super) proxy_protocol: bool,
    pub(super) tls: Option<ServerTls>,
}

impl InForce {
    fn new(name: &Arc<str>, terms: &Terms) -> Self {
        let tls = terms.tls.clone();
        let forward = tls.as_ref().and_then(ServerTls::forward).cloned();
        let (listener, h2c) = (name.clone(), terms.h2c);
        let redirect = terms.redirect.clone().map(Arc::new);
        let entrance = Entrance { listener, h2c, subject: None, forward, redirect, told_by: None };
        let proxy_protocol = terms.proxy_protocol;
        Self { digest: entrance.digest(), proxy_protocol, tls }
    }

    /// The same for a connection of which a proxy told whose it is.
    pub(super) fn told_by(&self, proxy: Box<str>) -> Self {
        let shared = Entrance::of(&self.digest).expect("it was made of one").clone();
        Self { digest: Entrance { told_by: Some(proxy), ..shared }.digest(), ..self.clone() }
    }
}

impl Listener {
    /// A listener with this name, for records and metrics.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, terms: &Terms) -> Self {
        let name = name.into();
        let terms = ArcSwap::from_pointee(InForce::new(&name, terms));
        Self { name, terms, guests: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Puts other terms into force for connections that come from now on.
    pub fn change(&self, terms: &Terms) {
        self.terms.store(Arc::new(InForce::new(&self.name, terms)));
    }

    /// How many of its connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.guests.count()
    }

    /// Closes all its connections, with whatever is under way on them.
    pub fn cut(&self) {
        self.guests.cut();
    }

    pub(super) fn in_force(&self) -> Arc<InForce> {
        self.terms.load_full()
    }

    pub(super) fn guests(&self) -> &Arc<Guests> {
        &self.guests
    }
}
