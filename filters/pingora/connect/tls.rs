//! Securing a connection to the origin by TLS 1.2 or 1.3, as a client.

use std::sync::{Arc, LazyLock};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};

use super::verify::{Identity, Verifier};

/// How an upstream's connections are secured.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Whether the certificate is verified. Default: yes.
    pub verify: bool,
    /// The authorities to trust; the system's when `None`, which is the default.
    pub authorities: Option<Vec<CertificateDer<'static>>>,
    /// Lists of certificates that their issuers took back (RFC 5280 section 5). A certificate whose
    /// issuer has given no list passes. Default: none.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
    /// The certificate chain to show to a server that asks for one, and its key. Default: none.
    pub identity: Option<Arc<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { verify: true, authorities: None, revoked: Vec::new(), identity: None }
    }
}

/// Why settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The system has no certificates of authorities to trust.
    NoAuthorities,
    /// None of the certificates given is one of an authority.
    Authorities,
    /// A list of revoked certificates cannot be read.
    Revoked,
    /// The key cannot be used, or does not belong to the certificate.
    Identity,
}

/// The same, ready for use.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Offers `http/1.1`.
    pub(super) http1: Arc<ClientConfig>,
    /// Offers `h2`.
    pub(super) http2: Arc<ClientConfig>,
    /// Offers both.
    pub(super) either: Arc<ClientConfig>,
}

/// The protocols by their names in ALPN (RFC 7301 and the IANA registry).
pub(super) const HTTP1: &str = "http/1.1";
pub(super) const HTTP2: &str = "h2";

/// What is offered, for the record.
pub(super) const VERSIONS: &str = "TLS 1.2, TLS 1.3";

impl Tls {
    /// Makes settings ready for use.
    ///
    /// # Errors
    /// What of them cannot be used.
    pub fn new(settings: &TlsSettings) -> Result<Self, Unusable> {
        let provider = provider();
        let roots = match &settings.authorities {
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                let (added, _) = roots.add_parsable_certificates(authorities.iter().cloned());
                if added == 0 {
                    return Err(Unusable::Authorities);
                }
                Arc::new(roots)
            }
            None if !settings.verify => anything(),
            None if SYSTEM.is_empty() => return Err(Unusable::NoAuthorities),
            None => SYSTEM.clone(),
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .with_crls(settings.revoked.iter().cloned())
            .allow_unknown_revocation_status()
            .build()
            .map_err(|_| Unusable::Revoked)?;
        let verifier = Arc::new(Verifier {
            inner: verifier,
            authorities: settings.authorities.clone().unwrap_or_default(),
            verify: settings.verify,
        });
        let identity = settings.identity.as_ref().map(|identity| {
            let (chain, key) = &**identity;
            let key = CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider);
            key.map(Arc::new).map_err(|_| Unusable::Identity)
        });
        let identity = Arc::new(Identity(identity.transpose()?));
        let offering = |protocols: &[&str]| {
            let mut config = ClientConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
                .expect("the provider has suites for both versions")
                .dangerous()
                .with_custom_certificate_verifier(verifier.clone())
                .with_client_cert_resolver(identity.clone());
            config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
            Arc::new(config)
        };
        Ok(Self {
            http1: offering(&[HTTP1]),
            http2: offering(&[HTTP2]),
            either: offering(&[HTTP2, HTTP1]),
        })
    }
}

/// The cipher suites offered, by their names in the IANA registry.
pub(super) fn ciphers() -> String {
    let provider = provider();
    let names = provider.cipher_suites.iter().filter_map(|suite| suite.suite().as_str());
    names.collect::<Vec<_>>().join(", ")
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(ring::default_provider()));
    PROVIDER.clone()
}

/// The authorities that the system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().unwrap_or_default();
    roots.add_parsable_certificates(found);
    Arc::new(roots)
});

/// A verifier has to have an authority, even one that is not asked.
fn anything() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.roots.push(rustls::pki_types::TrustAnchor {
        subject: Vec::new().into(),
        subject_public_key_info: Vec::new().into(),
        name_constraints: None,
    });
    Arc::new(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_used_say_what_is_wrong() {
        let garbage = CertificateDer::from(vec![1, 2, 3]);
        let key = PrivateKeyDer::try_from(vec![0x30, 0]);
        let wrong = |settings: TlsSettings| Tls::new(&settings).expect_err("unusable");
        let authorities = Some(vec![garbage.clone()]);
        let settings = TlsSettings { authorities, ..TlsSettings::default() };
        assert_eq!(wrong(settings), Unusable::Authorities);
        let open = TlsSettings { verify: false, ..TlsSettings::default() };
        let revoked = vec![CertificateRevocationListDer::from(vec![1, 2, 3])];
        assert_eq!(wrong(TlsSettings { revoked, ..open.clone() }), Unusable::Revoked);
        if let Ok(key) = key {
            let identity = Some(Arc::new((vec![garbage], key)));
            assert_eq!(wrong(TlsSettings { identity, ..open.clone() }), Unusable::Identity);
        }
        let tls = Tls::new(&open).expect("nothing is wrong");
        assert_eq!(tls.either.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        assert!(ciphers().contains("TLS13_AES_128_GCM_SHA256"), "{}", ciphers());
    }
}
