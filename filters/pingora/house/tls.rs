//! TLS towards clients, versions 1.2 and 1.3: certificates by name, the client's own certificate,
//! resumption.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// A certificate to show, with those that vouch for it, and its key.
#[derive(Clone)]
pub struct Certified {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    valid: std::ops::RangeInclusive<i64>,
}

/// How clients prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// The authorities whose certificates are taken.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Lists of certificates that were taken back (RFC 5280 section 5). One whose issuer has given
    /// no list passes.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
    /// Whether a client without a certificate is turned away. One with a bad one always is.
    pub required: bool,
    /// The field in which the origin is told the certificate's subject. Default: it is not.
    pub forward: Option<HeaderName>,
}

/// How a listener's connections are secured.
#[derive(Clone, Debug)]
pub struct ServerTlsSettings {
    /// The certificates: the one with the name that is asked for, else one with a wildcard that
    /// covers it, else the first. Of two with the same name the earlier one is shown.
    pub certificates: Vec<Certified>,
    /// Whether TLS 1.2 is turned away. Default: no.
    pub only_tls13: bool,
    /// Whether HTTP/2 is offered beside HTTP/1.1. Default: yes.
    pub http2: bool,
    /// Whether clients are asked for a certificate. Default: no.
    pub client_auth: Option<ClientAuth>,
}

/// Why something cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is no certificate.
    NoCertificate,
    /// The certificate cannot be read.
    Certificate,
    /// The key is of a kind that is not supported, or cannot be read.
    Key,
    /// The key does not belong to the certificate.
    Mismatch,
    /// None of the certificates given is one of an authority.
    Authorities,
    /// A list of revoked certificates cannot be read.
    Revoked,
    /// The system has no randomness.
    Random,
}

/// The same, ready for use.
#[derive(Clone)]
pub struct ServerTls {
    pub(super) config: Arc<ServerConfig>,
    client_auth: Option<ClientAuth>,
    /// Makes the tickets that sessions are resumed with, under keys that change by themselves.
    tickets: Arc<dyn ProducesTickets>,
}

impl Default for ServerTlsSettings {
    fn default() -> Self {
        Self { certificates: Vec::new(), only_tls13: false, http2: true, client_auth: None }
    }
}

impl Certified {
    /// A chain, the certificate itself first, and its key.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<Self, Flaw> {
        let own = chain.first().ok_or(Flaw::NoCertificate)?;
        let (_, read) = X509Certificate::from_der(own).map_err(|_| Flaw::Certificate)?;
        let validity = read.validity();
        let valid = validity.not_before.timestamp()..=validity.not_after.timestamp();
        let alternatives = read.subject_alternative_name().ok().flatten();
        let names = alternatives.iter().flat_map(|names| &names.value.general_names);
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        let names = names.collect();
        let key = ring::sign::any_supported_type(key).map_err(|_| Flaw::Key)?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(Flaw::Mismatch),
            Err(_) => return Err(Flaw::Certificate),
        }
        Ok(Self { key: Arc::new(key), names, valid })
    }

    /// The host names that it is for, in lower case (its subject alternative names); one may begin
    /// with `*.`, which stands for one label.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// From when until when it is valid, in seconds of the Unix epoch.
    #[must_use]
    pub const fn valid(&self) -> &std::ops::RangeInclusive<i64> {
        &self.valid
    }
}

impl ServerTls {
    /// Makes settings ready for use. With those in force `before`, sessions that began under them
    /// can be resumed, unless clients must prove themselves otherwise now.
    ///
    /// # Errors
    /// What of them cannot be used.
    pub fn new(settings: &ServerTlsSettings, before: Option<&Self>) -> Result<Self, Flaw> {
        let provider = Arc::new(ring::default_provider());
        let versions: &[_] = if settings.only_tls13 {
            &[&rustls::version::TLS13]
        } else {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        };
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .expect("the provider has suites for both versions");
        let builder = match &settings.client_auth {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(clients.authorities.iter().cloned());
                if roots.is_empty() {
                    return Err(Flaw::Authorities);
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .with_crls(clients.revoked.iter().cloned())
                        .allow_unknown_revocation_status();
                let verifier =
                    if clients.required { verifier } else { verifier.allow_unauthenticated() };
                builder.with_client_cert_verifier(verifier.build().map_err(|_| Flaw::Revoked)?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(Wardrobe::new(settings)?));
        let protocols: &[&[u8]] =
            if settings.http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        // A session vouches for the client that began it.
        let same = before.filter(|before| before.client_auth == settings.client_auth);
        let tickets = match same {
            Some(before) => before.tickets.clone(),
            None => ring::Ticketer::new().map_err(|_| Flaw::Random)?,
        };
        config.ticketer = tickets.clone();
        Ok(Self { config: Arc::new(config), client_auth: settings.client_auth.clone(), tickets })
    }

    /// The field in which the origin is told the subject of a client's certificate.
    #[must_use]
    pub fn forward(&self) -> Option<&HeaderName> {
        self.client_auth.as_ref()?.forward.as_ref()
    }
}

impl fmt::Debug for Certified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certified").field("names", &self.names).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// The certificates by their names.
#[derive(Debug)]
struct Wardrobe {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows the `*.`.
    wild: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl Wardrobe {
    fn new(settings: &ServerTlsSettings) -> Result<Self, Flaw> {
        let first = settings.certificates.first().ok_or(Flaw::NoCertificate)?;
        let (mut exact, mut wild) = (HashMap::new(), HashMap::new());
        for certified in &settings.certificates {
            for name in &certified.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut wild, rest),
                    None => (&mut exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_insert_with(|| certified.key.clone());
            }
        }
        Ok(Self { exact, wild, first: first.key.clone() })
    }

    fn find(&self, name: &str) -> &Arc<CertifiedKey> {
        let name = name.to_ascii_lowercase();
        let wild = || name.split_once('.').and_then(|(_, rest)| self.wild.get(rest));
        self.exact.get(&name).or_else(wild).unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for Wardrobe {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(hello.server_name().map_or(&self.first, |name| self.find(name)).clone())
    }
}
