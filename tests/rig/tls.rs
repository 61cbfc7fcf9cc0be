//! The server's end of TLS, as an origin of the tests has it.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::server::{Acceptor, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

use super::certificates::{Authority, Identity};

/// How an origin speaks TLS, and what came of it. A clone is the same origin's.
#[derive(Clone)]
pub(crate) struct Tls {
    identity: Arc<Identity>,
    versions: Vec<&'static SupportedProtocolVersion>,
    protocols: Vec<Vec<u8>>,
    clients: Option<CertificateDer<'static>>,
    refusal: Option<u8>,
    /// What sessions are resumed from.
    sessions: Arc<ServerSessionMemoryCache>,
    handshakes: Arc<Mutex<Vec<Handshake>>>,
}

/// One handshake, as far as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    /// The name that the client asked for (RFC 6066 section 3).
    pub(crate) name: Option<String>,
    /// What both of them are to speak (RFC 7301).
    pub(crate) protocol: Option<Vec<u8>>,
    pub(crate) version: Option<ProtocolVersion>,
    /// The client's own certificate.
    pub(crate) client: Option<CertificateDer<'static>>,
    /// Why it failed, where the reason is TLS's own; with TLS 1.3 a client learns that later.
    pub(crate) failure: Option<rustls::Error>,
    /// Whether it came to its end.
    pub(crate) whole: bool,
    /// Whether it went on with what an earlier one had agreed on, certificates among it.
    pub(crate) resumed: bool,
}

/// An encrypted connection.
pub(crate) struct Session {
    socket: TcpStream,
    tls: Mutex<ServerConnection>,
}

impl Tls {
    /// All that this library can do, with this certificate; no protocol is chosen.
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            identity: Arc::new(identity),
            versions: rustls::ALL_VERSIONS.to_vec(),
            protocols: Vec::new(),
            clients: None,
            refusal: None,
            sessions: ServerSessionMemoryCache::new(64),
            handshakes: Arc::default(),
        }
    }

    /// In this version alone: `rustls::version::TLS12` or `TLS13`.
    pub(crate) fn only(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    /// With these protocols, the best first, as in `&["h2", "http/1.1"]`.
    pub(crate) fn speaking(mut self, protocols: &[&str]) -> Self {
        self.protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// With clients alone whose certificate this authority signed.
    pub(crate) fn knowing(mut self, clients: &Authority) -> Self {
        self.clients = Some(clients.certificate());
        self
    }

    /// With nobody: every hello is answered by this fatal alert (RFC 8446 section 6.2), as in 112
    /// for a name that is not known. What rustls sends of itself where it has no certificate for a
    /// name is another one, 49.
    pub(crate) fn refusing(mut self, alert: u8) -> Self {
        self.refusal = Some(alert);
        self
    }

    /// The handshakes so far.
    pub(crate) fn handshakes(&self) -> Vec<Handshake> {
        self.handshakes.lock().expect("no origin panicked").clone()
    }

    /// As the library wants it.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .expect("its own ciphers go with its own versions");
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(root) => {
                let mut roots = RootCertStore::empty();
                roots.add(root.clone()).expect("a certificate");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("there is a root"))
            }
        };
        let key = any_supported_type(&self.identity.key()).expect("a key of a common kind");
        // Not every certificate here is one that the library would take.
        let own = SingleCertAndKey::from(CertifiedKey::new(self.identity.chain(), key));
        let mut config = builder.with_cert_resolver(Arc::new(own));
        config.alpn_protocols.clone_from(&self.protocols);
        config.session_storage = self.sessions.clone();
        Arc::new(config)
    }

    /// Speaks TLS on this connection; `None` when that failed, which the client then knows.
    pub(super) fn greet(&self, socket: TcpStream) -> Option<Session> {
        let mut acceptor = Acceptor::default();
        let accepted = loop {
            if acceptor.read_tls(&mut &socket).ok()? == 0 {
                return None;
            }
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => break accepted,
                Err((error, mut alert)) => {
                    alert.write_all(&mut &socket).ok();
                    leave(&socket);
                    self.note(Handshake { failure: Some(error), ..Handshake::default() });
                    return None;
                }
            }
        };
        let name = accepted.client_hello().server_name().map(str::to_owned);
        let hello = Handshake { name, ..Handshake::default() };
        if let Some(alert) = self.refusal {
            self.note(hello);
            (&socket).write_all(&[21, 3, 3, 0, 2, 2, alert]).ok();
            leave(&socket);
            return None;
        }
        let mut tls = match accepted.into_connection(self.config()) {
            Ok(tls) => tls,
            Err((error, mut alert)) => {
                alert.write_all(&mut &socket).ok();
                leave(&socket);
                self.note(Handshake { failure: Some(error), ..hello });
                return None;
            }
        };
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut &socket) {
                // The alert that goes with it.
                tls.write_tls(&mut &socket).ok();
                leave(&socket);
                self.note(Handshake { failure: failure(&error), ..seen(&tls) });
                return None;
            }
        }
        self.note(Handshake { whole: true, ..seen(&tls) });
        Some(Session { socket, tls: Mutex::new(tls) })
    }

    /// Remembers a handshake that was made elsewhere.
    pub(super) fn note(&self, handshake: Handshake) {
        self.handshakes.lock().expect("no origin panicked").push(handshake);
    }
}

/// Sends a FIN and reads until the client leaves as well: closed with something unread, the
/// connection would be reset, and the alert lost on its way.
fn leave(socket: &TcpStream) {
    socket.shutdown(Shutdown::Write).ok();
    std::io::copy(&mut &*socket, &mut std::io::sink()).ok();
}

/// What a connection tells of its handshake.
pub(super) fn seen(tls: &ServerConnection) -> Handshake {
    Handshake {
        name: tls.server_name().map(str::to_owned),
        protocol: tls.alpn_protocol().map(<[u8]>::to_vec),
        version: tls.protocol_version(),
        client: tls.peer_certificates().and_then(|chain| chain.first()).cloned(),
        failure: None,
        whole: !tls.is_handshaking(),
        resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

/// The library's own error, where it was one that ended a handshake.
pub(super) fn failure(error: &Error) -> Option<rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

impl Session {
    pub(super) fn read(&self, into: &mut [u8]) -> Result<usize> {
        let mut tls = self.lock();
        match rustls::Stream::new(&mut *tls, &mut &self.socket).read(into) {
            // The other end left without a word of TLS, which says as much here.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        }
    }

    pub(super) fn write_all(&self, bytes: &[u8]) -> Result<()> {
        let (mut tls, mut socket) = (self.lock(), &self.socket);
        let mut stream = rustls::Stream::new(&mut *tls, &mut socket);
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Says that nothing more will come (RFC 8446 section 6.1).
    pub(super) fn say_goodbye(&self) {
        let mut tls = self.lock();
        tls.send_close_notify();
        while tls.wants_write() && tls.write_tls(&mut &self.socket).is_ok() {}
    }

    /// What is underneath. It can be had while somebody else reads.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ServerConnection> {
        self.tls.lock().expect("no origin panicked")
    }
}

#[cfg(test)]
mod tests;
