//! Who is asked during a handshake whether a certificate will do, and for one of our own.
//!
//! Both are shared by all handshakes of an upstream, so that sessions can be resumed; what is
//! learned by being asked is left with the thread, where the handshake under way picks it up as
//! soon as rustls returns.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::Portrait;

/// What was learned during a handshake.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// The certificate that will not do.
    pub(super) refused: Option<Portrait>,
    /// Whether the other end asked for a certificate.
    pub(super) requested: bool,
}

thread_local! {
    static LEARNED: RefCell<Learned> = RefCell::default();
}

/// Takes what was learned on this thread since this was last called.
pub(super) fn learned() -> Learned {
    LEARNED.take()
}

/// Judges certificates as another verifier does, or not at all.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    /// The authorities named in the settings.
    pub(super) authorities: Vec<CertificateDer<'static>>,
    pub(super) verify: bool,
}

impl Verifier {
    /// Judges a server that shows the very certificate it is to be trusted by; `None` for another.
    /// Most that vouch for themselves are made as an authority's, which no server may show otherwise.
    fn judge_named(
        &self,
        own: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Option<Result<ServerCertVerified, Error>> {
        self.authorities.iter().find(|authority| *authority == own)?;
        let in_time = Portrait::in_time(own, now);
        let named = || verify_server_name(&ParsedCertificate::try_from(own)?, name);
        Some(
            in_time
                .map_err(Error::from)
                .and_then(|()| named())
                .map(|()| ServerCertVerified::assertion()),
        )
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.verify {
            return Ok(ServerCertVerified::assertion());
        }
        let verdict = self.inner.verify_server_cert(own, others, name, ocsp, now);
        // Whoever issued it knows better than those who name it.
        let revoked = matches!(verdict, Err(Error::InvalidCertificate(CertificateError::Revoked)));
        let verdict = match self.judge_named(own, name, now) {
            Some(named) if !revoked => named,
            _ => verdict,
        };
        if verdict.is_err() {
            LEARNED.with_borrow_mut(|learned| learned.refused = Some(Portrait::of(own)));
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Shows the certificate of an upstream's settings, if there is one.
#[derive(Debug)]
pub(super) struct Identity(pub(super) Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        LEARNED.with_borrow_mut(|learned| learned.requested = true);
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}
