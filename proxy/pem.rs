//! Certificates and keys in files (RFC 7468). Errors say in words which file it is and what is wrong.

use std::fs;
use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The certificates in a file, in its order.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut out = Vec::new();
    for der in CertificateDer::pem_slice_iter(&read(path)?) {
        let der = der.map_err(|error| format!("{} is not PEM: {error}", path.display()))?;
        X509Certificate::from_der(&der)
            .map_err(|_| format!("{} holds a broken certificate", path.display()))?;
        out.push(der);
    }
    if out.is_empty() { Err(format!("{} holds no certificate", path.display())) } else { Ok(out) }
}

/// The lists of revoked certificates in a file.
pub(crate) fn revoked(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
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

/// The private key in a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|_| format!("{} holds no private key", path.display()))
}
