//! What rustls says of a handshake with the origin that failed, read out of the text in which
//! Pingora wraps it. Each text relied on is pinned by a test against rustls itself.

use whodunit_filters::attribution::{CertificateFault, Failure, Fault, Phase, Side};

/// Where in Pingora's text rustls' own begins.
const WRAPPED: &str = "tls connect error cause: ";

/// How rustls begins to tell of an alert.
pub(crate) const ALERT: &str = "received fatal alert: ";

/// The alerts that servers send, by rustls' name, with their numbers (RFC 8446 section 6 and the
/// IANA registry).
const ALERTS: [(&str, u8); 19] = [
    ("UnexpectedMessage", 10),
    ("BadRecordMac", 20),
    ("RecordOverflow", 22),
    ("HandshakeFailure", 40),
    ("BadCertificate", 42),
    ("UnsupportedCertificate", 43),
    ("CertificateRevoked", 44),
    ("CertificateExpired", 45),
    ("CertificateUnknown", 46),
    ("IllegalParameter", 47),
    ("UnknownCA", 48),
    ("AccessDenied", 49),
    ("DecodeError", 50),
    ("DecryptError", 51),
    ("ProtocolVersion", 70),
    ("InternalError", 80),
    ("UnrecognisedName", 112),
    ("CertificateRequired", 116),
    ("NoApplicationProtocol", 120),
];

/// Why a certificate was refused, by how rustls begins to say so.
const CERTIFICATES: [(&str, CertificateFault); 8] = [
    ("certificate expired", CertificateFault::Expired),
    ("Expired", CertificateFault::Expired),
    ("certificate not valid yet", CertificateFault::NotYetValid),
    ("certificate not valid for name", CertificateFault::WrongName),
    ("NotValidForName", CertificateFault::WrongName),
    ("UnknownIssuer", CertificateFault::Untrusted),
    ("Revoked", CertificateFault::Revoked),
    // A certificate of an authority presented as a server's own is what a self-signed one is.
    ("Other(OtherError(CaUsedAsEndEntity))", CertificateFault::SelfSigned),
];

/// The failure that a text tells of.
pub(crate) fn failure(text: &str) -> Failure {
    let text = text.split_once(WRAPPED).map_or(text, |(_, own)| own);
    let failure = |fault| Failure::new(Side::Origin, Phase::Tls, fault);
    if let Some(name) = text.strip_prefix(ALERT) {
        let alert = ALERTS.iter().find(|(alert, _)| name.starts_with(alert));
        return failure(alert.map_or(Fault::TlsHandshake, |(_, id)| Fault::TlsAlert(*id)));
    }
    if let Some(why) = text.strip_prefix("invalid peer certificate: ") {
        let fault = CERTIFICATES.iter().find(|(said, _)| why.starts_with(said));
        return failure(Fault::Certificate(fault.map_or(CertificateFault::Invalid, |(_, f)| *f)));
    }
    let fault = match text {
        _ if text.starts_with("received corrupt message of type InvalidContentType") => {
            Fault::TlsNotTls
        }
        _ if text.starts_with("tls handshake eof") => Fault::Closed,
        _ if text.starts_with("Connection reset by peer") => Fault::Reset,
        _ => Fault::TlsHandshake,
    };
    failure(fault)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{ServerName, UnixTime};
    use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

    use super::*;

    fn judged(error: &Error) -> Fault {
        failure(&format!(
            "TLS connect() failed:  TLSHandshakeFailure context: {WRAPPED}{error}, SNI: right.example"
        ))
        .fault
    }

    #[test]
    fn the_words_of_rustls_are_the_ones_relied_on() {
        let then = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1));
        let expected = ServerName::try_from("right.example").expect("a name");
        for (error, fault) in [
            (CertificateError::Expired, CertificateFault::Expired),
            (
                CertificateError::ExpiredContext { time: then, not_after: then },
                CertificateFault::Expired,
            ),
            (
                CertificateError::NotValidYetContext { time: then, not_before: then },
                CertificateFault::NotYetValid,
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected,
                    presented: vec!["wrong.example".into()],
                },
                CertificateFault::WrongName,
            ),
            (CertificateError::UnknownIssuer, CertificateFault::Untrusted),
            (CertificateError::Revoked, CertificateFault::Revoked),
            (CertificateError::BadEncoding, CertificateFault::Invalid),
        ] {
            assert_eq!(judged(&Error::InvalidCertificate(error)), Fault::Certificate(fault));
        }
        assert_eq!(
            judged(&Error::InvalidMessage(InvalidMessage::InvalidContentType)),
            Fault::TlsNotTls
        );
    }

    #[test]
    fn every_alert_is_known_by_the_name_that_rustls_gives_it() {
        for (name, id) in ALERTS {
            let alert = AlertDescription::from(id);
            assert_eq!(format!("{alert:?}"), name);
            assert_eq!(judged(&Error::AlertReceived(alert)), Fault::TlsAlert(id));
        }
    }

    #[test]
    fn what_a_certificate_says_is_not_taken_for_what_rustls_says() {
        let name = format!(
            "{WRAPPED}invalid peer certificate: certificate not valid for name \"a\"; certificate is only valid for DnsName(\"{WRAPPED}received fatal alert: UnknownCA\")",
        );
        assert_eq!(failure(&name).fault, Fault::Certificate(CertificateFault::WrongName));
    }
}
