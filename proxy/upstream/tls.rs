//! How connections to an upstream are secured.

use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// An upstream's `tls` section.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The server name to ask for and to verify. Default: the endpoint's own name or address.
    pub sni: Option<String>,
    /// A file of certificates (PEM) to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// Whether the certificate is verified. Default: yes.
    pub verify: bool,
    /// The certificate chain (PEM) to show to a server that asks for one.
    pub client_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub client_key: Option<PathBuf>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { sni: None, ca: None, verify: true, client_cert: None, client_key: None }
    }
}

/// The same with its files read.
#[derive(Clone)]
pub struct Tls {
    pub(super) sni: Option<Arc<str>>,
    pub(super) verify: bool,
    pub(super) ca: Option<Arc<CaType>>,
    pub(super) client: Option<Arc<CertKey>>,
    /// Tells apart the connections of sections that differ: Pingora's pool compares neither the
    /// trusted certificates nor all of the client's.
    pub(super) fingerprint: u64,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The setting's name within its section, and what is wrong with its file, in words.
    pub fn load(settings: &TlsSettings) -> Result<Self, (&'static str, String)> {
        let mut hasher = DefaultHasher::new();
        let mut ca = None;
        if let Some(path) = &settings.ca {
            let certificates = certificates(path).map_err(|problem| ("ca", problem))?;
            certificates.hash(&mut hasher);
            ca = Some(
                certificates.into_iter().map(|der| WrappedX509::new(der, parse_x509)).collect(),
            );
        }
        let client = match (&settings.client_cert, &settings.client_key) {
            (None, None) => None,
            (Some(_), None) => {
                return Err(("client_key", "is missing beside `client_cert`".into()));
            }
            (None, Some(_)) => {
                return Err(("client_cert", "is missing beside `client_key`".into()));
            }
            (Some(cert), Some(key)) => {
                let chain = certificates(cert).map_err(|problem| ("client_cert", problem))?;
                let key = private_key(key).map_err(|problem| ("client_key", problem))?;
                (&chain, &key).hash(&mut hasher);
                Some(Arc::new(CertKey::new(chain, key)))
            }
        };
        Ok(Self {
            sni: settings.sni.as_deref().map(Into::into),
            verify: settings.verify,
            ca,
            client,
            fingerprint: hasher.finish() >> 1,
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("sni", &self.sni)
            .field("verify", &self.verify)
            .field("own_ca", &self.ca.is_some())
            .field("client_certificate", &self.client.is_some())
            .finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The certificates of a file, each known to parse: Pingora panics on one that does not.
fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let mut out = Vec::new();
    for der in CertificateDer::pem_slice_iter(&read(path)?) {
        let der = der.map_err(|error| format!("{} is not PEM: {error}", path.display()))?;
        X509Certificate::from_der(&der)
            .map_err(|_| format!("{} holds a broken certificate", path.display()))?;
        out.push(der.to_vec());
    }
    if out.is_empty() { Err(format!("{} holds no certificate", path.display())) } else { Ok(out) }
}

fn private_key(path: &Path) -> Result<Vec<u8>, String> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map(|key| key.secret_der().to_vec())
        .map_err(|_| format!("{} holds no private key", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), content).expect("written");
        file
    }

    #[test]
    fn what_is_no_certificate_is_refused_by_name() {
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for content in ["", "hello", garbage] {
            let file = file(content);
            let ca = Some(file.path().to_owned());
            let settings = TlsSettings { ca, ..TlsSettings::default() };
            assert_eq!(Tls::load(&settings).expect_err("refused").0, "ca", "{content}");
        }
        let ca = Some("/nowhere/ca.crt".into());
        let problem =
            Tls::load(&TlsSettings { ca, ..TlsSettings::default() }).expect_err("refused");
        assert!(problem.1.contains("/nowhere/ca.crt"), "{problem:?}");
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        let client_cert = Some("client.crt".into());
        let settings = TlsSettings { client_cert, ..TlsSettings::default() };
        assert_eq!(Tls::load(&settings).expect_err("refused").0, "client_key");
    }
}
