//! A client that speaks TLS, as strict or as careless as a test wants it.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, RootCertStore,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};

use super::PATIENCE;
use super::certificates::{Authority, Identity};
use super::message::{self, Framing, Response};

/// What a client wants.
#[derive(Clone)]
pub(crate) struct Wants {
    trusts: Option<CertificateDer<'static>>,
    versions: Vec<&'static SupportedProtocolVersion>,
    protocols: Vec<Vec<u8>>,
    shows: Option<Arc<Identity>>,
    with_name: bool,
}

/// An encrypted connection.
pub(crate) struct Secured {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
}

impl Wants {
    /// Whatever comes.
    pub(crate) fn anything() -> Self {
        let versions = rustls::ALL_VERSIONS.to_vec();
        Self { trusts: None, versions, protocols: Vec::new(), shows: None, with_name: true }
    }

    /// A certificate from this authority, for the name that is asked for.
    pub(crate) fn trusting(mut self, authority: &Authority) -> Self {
        self.trusts = Some(authority.certificate());
        self
    }

    /// This version alone.
    pub(crate) fn only(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    /// One of these protocols.
    pub(crate) fn speaking(mut self, protocols: &[&str]) -> Self {
        self.protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// To be known by this certificate.
    pub(crate) fn showing(mut self, identity: &Arc<Identity>) -> Self {
        self.shows = Some(identity.clone());
        self
    }

    /// To tell no name.
    pub(crate) fn nameless(mut self) -> Self {
        self.with_name = false;
        self
    }

    /// As the library wants it.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions)
            .expect("its own ciphers go with its own versions");
        let builder = match &self.trusts {
            Some(root) => {
                let mut roots = RootCertStore::empty();
                roots.add(root.clone()).expect("a certificate");
                builder.with_root_certificates(roots)
            }
            None => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Careless(provider)))
            }
        };
        let mut config = match &self.shows {
            Some(own) => {
                builder.with_client_auth_cert(own.chain(), own.key()).expect("they belong together")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.protocols);
        config.enable_sni = self.with_name;
        Arc::new(config)
    }

    /// A connection to this address, whose name is `name`.
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> Result<Secured> {
        Secured::by(&self.config(), address, name)
    }
}

impl Secured {
    /// A connection made with this configuration, whose sessions can be resumed.
    pub(crate) fn by(config: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut tls = ClientConnection::new(config.clone(), name).expect("a client");
        let mut socket = socket;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Self { stream: StreamOwned::new(tls, socket), buffer: Vec::new() })
    }

    /// The certificate that was shown.
    pub(crate) fn shown(&self) -> CertificateDer<'static> {
        self.stream.conn.peer_certificates().expect("one was shown")[0].clone()
    }

    /// Whether the session is one that began on an earlier connection.
    pub(crate) fn resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: &str) -> Result<()> {
        self.stream.write_all(bytes.as_bytes())
    }

    /// The answer to a GET with these lines besides.
    pub(crate) fn get(&mut self, lines: &str) -> Result<Response> {
        self.send(&format!("GET / HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"))?;
        self.receive()
    }

    /// Whether the connection ends, after whatever comes, with the good-bye of TLS (RFC 8446
    /// section 6.1).
    pub(crate) fn ends_well(&mut self) -> bool {
        std::io::copy(&mut self.stream, &mut std::io::sink()).is_ok()
    }

    /// The next answer, of a stated length.
    pub(crate) fn receive(&mut self) -> Result<Response> {
        loop {
            if let Some((mut response, head)) = message::response(&self.buffer)
                && let Framing::Length(length) = response.framing("GET")
                && self.buffer.len() >= head + length
            {
                response.body = self.buffer[head..head + length].to_vec();
                self.buffer.drain(..head + length);
                return Ok(response);
            }
            let mut piece = [0; 4096];
            let length = self.stream.read(&mut piece)?;
            if length == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&piece[..length]);
        }
    }
}

/// Takes every certificate, but looks whether its owner has the key.
#[derive(Debug)]
struct Careless(Arc<CryptoProvider>);

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
