//! Where a connection came in, as whoever serves it gets to know.

use std::sync::Arc;

use http::HeaderName;
use pingora::http::ResponseHeader;
use pingora::protocols::raw_connect::ProxyDigest;

use super::redirect::Redirect;

/// The listener that a connection belongs to, and what holds for it there.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    /// The listener's name.
    pub(crate) listener: Arc<str>,
    /// Whether HTTP/2 may come without TLS.
    pub(crate) h2c: bool,
    /// Where its requests are sent instead of being served.
    pub(crate) redirect: Option<Arc<Redirect>>,
    /// The proxy that told by the PROXY protocol whose connection it is.
    pub(crate) told_by: Option<Box<str>>,
    /// The subject of the certificate by which the client proved who it is.
    pub(crate) subject: Option<Box<str>>,
    /// The field in which the origin is told.
    pub(crate) forward: Option<HeaderName>,
}

impl Entrance {
    /// Itself as a part of its connections' digests. What Pingora means the part for, the way
    /// through another proxy, no connection of a client's has.
    pub(crate) fn digest(self) -> Arc<ProxyDigest> {
        let said = ResponseHeader::build(200, Some(0)).expect("a status");
        Arc::new(ProxyDigest::new(Box::new(said), Some(Box::new(self))))
    }

    /// The entrance that a connection's digest tells of; none does of Pingora's own listeners.
    pub(crate) fn of(digest: &ProxyDigest) -> Option<&Self> {
        digest.user_data.as_ref()?.downcast_ref()
    }
}
