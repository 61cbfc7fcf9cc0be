//! What is known of one connection to the origin, from its first packet until a little after its
//! end: Pingora has closed a connection before it tells anybody that it broke.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pingora::http::ResponseHeader;
use pingora::protocols::Digest;
use pingora::protocols::raw_connect::ProxyDigest;

use super::kernel::TcpInfo;
use super::rest::Rest;

/// The other end is leaving an HTTP/2 connection (`GOAWAY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Goodbye {
    /// The last stream that it will answer.
    pub(crate) last_stream: u32,
    /// Why (RFC 9113 section 7).
    pub(crate) code: u32,
}

/// None was said: the last stream has 31 bits.
const NO_GOODBYE: u64 = u64::MAX;

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    fd: RawFd,
    /// Whether it leads to a socket in the file system: what is written there has arrived.
    pub(crate) local: bool,
    /// Times that the first packet had to be sent again until the other end answered it.
    pub(crate) late: u32,
    /// How long connecting took.
    pub(crate) took: Duration,
    /// When it stood.
    pub(crate) born: Instant,
    /// Whether it began by telling whose connection it is.
    pub(crate) greeted: AtomicBool,
    /// Whether HTTP/2 is spoken.
    pub(crate) http2: AtomicBool,
    /// Whether it carried a request before the one that it carries.
    reused: AtomicBool,
    /// What TLS agreed on, if it is spoken.
    pub(crate) tls: OnceLock<Secrecy>,
    /// The first bytes that came over an HTTP/2 connection, at most 64.
    pub(crate) opening: OnceLock<Box<[u8]>>,
    /// The last stream, and below it the code.
    goodbye: AtomicU64,
    /// Lines to be put at the end of the next header section that is written, and whether the
    /// connection does that.
    postscript: Mutex<Vec<u8>>,
    signs: AtomicBool,
    /// Whether nobody uses it.
    pub(crate) rest: Rest,
    end: Mutex<End>,
}

/// What TLS agreed on, and what was said on the way.
#[derive(Clone, Debug)]
pub(crate) struct Secrecy {
    /// The server name that was asked for, if any.
    pub(crate) sni: Option<Box<str>>,
    /// `TLSv1.2`, `TLSv1.3`.
    pub(crate) version: &'static str,
    /// Whether the other end asked for a certificate.
    pub(crate) certificate_requested: bool,
    /// Whether it was shown one.
    pub(crate) certificate_shown: bool,
}

#[derive(Debug)]
enum End {
    Open,
    Over(Option<TcpInfo>),
}

impl Wire {
    pub(crate) fn new(fd: RawFd, local: bool, late: u32, took: Duration) -> Self {
        Self {
            fd,
            local,
            late,
            took,
            born: Instant::now(),
            greeted: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            reused: AtomicBool::new(false),
            tls: OnceLock::new(),
            opening: OnceLock::new(),
            goodbye: AtomicU64::new(NO_GOODBYE),
            postscript: Mutex::default(),
            signs: AtomicBool::new(false),
            rest: Rest::default(),
            end: Mutex::new(End::Open),
        }
    }

    /// Its descriptor; another's, perhaps, once it is closed.
    pub(super) const fn fd(&self) -> RawFd {
        self.fd
    }

    /// What is noted as postscript is written.
    pub(super) fn sign(&self) {
        self.signs.store(true, Ordering::Relaxed);
    }

    /// The lines that the connection will put at the end of the next header section; `None` where
    /// it does not do that.
    pub(crate) fn postscript(&self) -> Option<MutexGuard<'_, Vec<u8>>> {
        let signs = self.signs.load(Ordering::Relaxed);
        signs.then(|| self.postscript.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another request is put on it, after the one before was done.
    pub(super) fn reuse(&self) {
        self.reused.store(true, Ordering::Relaxed);
    }

    /// Whether it carried a request before, as far as HTTP/1.1 goes.
    pub(crate) fn reused(&self) -> bool {
        self.reused.load(Ordering::Relaxed)
    }

    /// The kernel's counters: as they are, or as they were when the connection was closed.
    pub(crate) fn info(&self) -> Option<TcpInfo> {
        // Held meanwhile, so that the descriptor is not closed and given to somebody else.
        match *self.locked() {
            End::Open => TcpInfo::of(self.fd),
            End::Over(info) => info,
        }
    }

    /// The other end says that it is leaving.
    pub(crate) fn bid_goodbye(&self, last_stream: u32, code: u32) {
        self.goodbye.store(u64::from(last_stream) << 32 | u64::from(code), Ordering::Relaxed);
    }

    /// What it said, if it did.
    pub(crate) fn goodbye(&self) -> Option<Goodbye> {
        let both = self.goodbye.load(Ordering::Relaxed);
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).expect("32 bits");
        (both != NO_GOODBYE).then(|| Goodbye { last_stream: half(both >> 32), code: half(both) })
    }

    /// Whether every byte written has arrived at the other end's machine, as far as can be known.
    pub(crate) fn all_acknowledged(&self) -> bool {
        self.local || self.info().is_some_and(TcpInfo::all_acknowledged)
    }

    /// Itself as a part of its connection's digest, which leads to it even when the connection is
    /// closed and its descriptor another's. What Pingora means the part for, the way through another
    /// proxy, no connection of ours has.
    pub(super) fn digest(self: &Arc<Self>) -> Arc<ProxyDigest> {
        let said = ResponseHeader::build(200, Some(0)).expect("a status");
        Arc::new(ProxyDigest::new(Box::new(said), Some(Box::new(self.clone()))))
    }

    /// The connection that a digest leads to.
    pub(crate) fn of(digest: &Digest) -> Option<Arc<Self>> {
        let part = digest.proxy_digest.as_ref()?.user_data.as_ref()?;
        part.downcast_ref::<Arc<Self>>().cloned()
    }

    /// Its socket is about to be closed.
    pub(super) fn close(&self) {
        let info = TcpInfo::of(self.fd);
        *self.locked() = End::Over(info);
        if info.is_some_and(TcpInfo::closed_by_other) {
            self.rest.closed(Instant::now());
        }
    }

    fn locked(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_connection_is_known_after_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("accepted");
        let wire = Arc::new(Wire::new(stream.as_raw_fd(), false, 0, Duration::ZERO));
        assert!(wire.info().is_some_and(TcpInfo::all_acknowledged));
        wire.close();
        drop(stream);
        let digest = Digest { proxy_digest: Some(wire.digest()), ..Digest::default() };
        assert!(Arc::ptr_eq(&Wire::of(&digest).expect("it leads there"), &wire));
        assert!(wire.info().is_some_and(TcpInfo::all_acknowledged), "as it was at the end");
    }
}
