//! A certificate as evidence: whose it is, who issued it, for which names, from when until when.

use jiff::Timestamp;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use whodunit_filters::attribution::{Failure, Key};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

/// The most names that become evidence, and the most bytes of each piece.
const NAMES: usize = 16;
const TEXT: usize = 256;

/// What a certificate says of itself. Everything in it was written by whoever made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Portrait {
    subject: Option<String>,
    issuer: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    names: Vec<String>,
    /// Whether its subject and its issuer are the same.
    pub(super) self_issued: bool,
}

impl Portrait {
    /// Of one that cannot be read there is nothing to tell.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
            return Self::default();
        };
        let validity = certificate.validity();
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let names = alternatives.iter().flat_map(|names| &names.value.general_names);
        Self {
            subject: name(certificate.subject()),
            issuer: name(certificate.issuer()),
            not_before: date(validity.not_before),
            not_after: date(validity.not_after),
            names: names.filter_map(alternative).take(NAMES).collect(),
            self_issued: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        }
    }

    /// Whether the certificate is valid at this time.
    pub(super) fn in_time(
        certificate: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let (_, certificate) =
            X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let validity = certificate.validity();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now < validity.not_before.timestamp() {
            return Err(CertificateError::NotValidYet);
        }
        if now > validity.not_after.timestamp() {
            return Err(CertificateError::Expired);
        }
        Ok(())
    }

    /// Notes it as evidence.
    pub(super) fn note(self, failure: &mut Failure) {
        let texts = [
            (Key::Subject, self.subject),
            (Key::Issuer, self.issuer),
            (Key::NotBefore, self.not_before),
            (Key::NotAfter, self.not_after),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                failure.evidence.set_if_absent(key, text);
            }
        }
        if !self.names.is_empty() {
            failure.evidence.set_if_absent(Key::Names, self.names);
        }
    }
}

fn name(name: &X509Name<'_>) -> Option<String> {
    Some(bounded(&name.to_string())).filter(|text| !text.is_empty())
}

/// RFC 3339, in UTC, to the second.
fn date(time: ASN1Time) -> Option<String> {
    Timestamp::from_second(time.timestamp()).ok().map(|time| time.to_string())
}

fn alternative(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(bounded(name)),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(std::net::IpAddr::from),
                16 => <[u8; 16]>::try_from(*bytes).ok().map(std::net::IpAddr::from),
                _ => None,
            };
            address.map(|address| address.to_string())
        }
        _ => None,
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(TEXT).collect()
}
