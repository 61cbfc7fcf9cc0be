//! How connections to an upstream are secured: the files that its settings name.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use whodunit_pingora::connect::{self, Unusable};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// An upstream's `tls` section.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The server name to ask for and to verify. Default: the endpoint's own name or address.
    pub sni: Option<String>,
    /// A file of certificates (PEM) to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// A file of lists of revoked certificates (PEM).
    pub crl: Option<PathBuf>,
    /// Whether the certificate is verified. Default: yes.
    pub verify: bool,
    /// The certificate chain (PEM) to show to a server that asks for one.
    pub client_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub client_key: Option<PathBuf>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { sni: None, ca: None, crl: None, verify: true, client_cert: None, client_key: None }
    }
}

/// The same with its files read.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(super) sni: Option<Arc<str>>,
    pub(super) verify: bool,
    pub(super) ready: connect::Tls,
    /// Tells apart the connections of sections that differ.
    pub(super) fingerprint: u64,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The setting's name within its section, and what is wrong with it, in words.
    pub fn load(settings: &TlsSettings) -> Result<Self, (&'static str, String)> {
        let mut hasher = DefaultHasher::new();
        settings.verify.hash(&mut hasher);
        let mut ready = connect::TlsSettings { verify: settings.verify, ..Default::default() };
        if let Some(path) = &settings.ca {
            let authorities = certificates(path).map_err(|problem| ("ca", problem))?;
            authorities.hash(&mut hasher);
            ready.authorities = Some(authorities);
        }
        if let Some(path) = &settings.crl {
            ready.revoked = revoked(path).map_err(|problem| ("crl", problem))?;
            for list in &ready.revoked {
                list.as_ref().hash(&mut hasher);
            }
        }
        ready.identity = match (&settings.client_cert, &settings.client_key) {
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
                chain.hash(&mut hasher);
                key.secret_der().hash(&mut hasher);
                Some(Arc::new((chain, key)))
            }
        };
        let made = connect::Tls::new(&ready).map_err(|unusable| describe(unusable, settings))?;
        Ok(Self {
            sni: settings.sni.as_deref().map(Into::into),
            verify: settings.verify,
            ready: made,
            fingerprint: hasher.finish() >> 1,
        })
    }
}

/// Which setting it is, and what is wrong.
fn describe(unusable: Unusable, settings: &TlsSettings) -> (&'static str, String) {
    let file = |path: &Option<PathBuf>| {
        path.as_deref().map_or_else(String::new, |path| path.display().to_string())
    };
    match unusable {
        Unusable::NoAuthorities => (
            "ca",
            "this system has no certificates of authorities to trust; name a file of them".into(),
        ),
        Unusable::Authorities => {
            ("ca", format!("{} holds no certificate of an authority", file(&settings.ca)))
        }
        Unusable::Revoked => {
            ("crl", format!("{} holds a list that cannot be used", file(&settings.crl)))
        }
        Unusable::Identity => (
            "client_key",
            format!("{} does not belong to the certificate", file(&settings.client_key)),
        ),
    }
}

/// The right of everybody to read (`chmod(2)`: `S_IROTH`).
const EVERYBODY: u32 = 0o004;

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut out = Vec::new();
    for der in CertificateDer::pem_slice_iter(&read(path)?) {
        let der = der.map_err(|error| format!("{} is not PEM: {error}", path.display()))?;
        X509Certificate::from_der(&der)
            .map_err(|_| format!("{} holds a broken certificate", path.display()))?;
        out.push(der);
    }
    if out.is_empty() { Err(format!("{} holds no certificate", path.display())) } else { Ok(out) }
}

fn revoked(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let mut out = Vec::new();
    for der in CertificateRevocationListDer::pem_slice_iter(&read(path)?) {
        out.push(der.map_err(|error| format!("{} is not PEM: {error}", path.display()))?);
    }
    if out.is_empty() {
        Err(format!("{} holds no list of revoked certificates", path.display()))
    } else {
        Ok(out)
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = path.display();
    let key = PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|_| format!("{shown} holds no private key"))?;
    let rights = fs::metadata(path).map_err(|error| format!("cannot look at {shown}: {error}"))?;
    if rights.permissions().mode() & EVERYBODY != 0 {
        return Err(format!(
            "{shown} can be read by every user of this machine, so that it is no secret: \
             `chmod o= {shown}`"
        ));
    }
    Ok(key)
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
