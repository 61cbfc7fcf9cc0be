//! How connections to an upstream are secured: the files that its settings name.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use whodunit_pingora::connect::{self, Unusable};

use crate::pem::{certificates, private_key, revoked};

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

#[cfg(test)]
mod tests {
    use std::fs;

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
