//! A TLS handshake with the origin, and what its failure says.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error, InvalidMessage, PeerIncompatible};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use whodunit_filters::attribution::{CertificateFault, Failure, Fault, Key, Phase, Side};

use super::heard::Heard;
use super::secured::Secured;
use super::socket::Socket;
use super::tcp;
use super::tls::{VERSIONS, ciphers};
use super::verify::{self, Learned};
use super::wire::{Secrecy, Wire};

/// Shakes hands within `limit`. The name is asked for, unless it is an address or empty, and looked
/// for in the certificate.
pub(super) async fn shake(
    config: &Arc<ClientConfig>,
    name: &str,
    socket: Socket,
    wire: &Arc<Wire>,
    limit: Duration,
) -> Result<Secured, Failure> {
    let began = Instant::now();
    let asked = ServerName::try_from(name.to_owned());
    // Only where nothing is verified may there be none.
    let asked = asked.unwrap_or(ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()));
    let sni = matches!(asked, ServerName::DnsName(_)).then(|| name.into());
    let heard = Heard::new(socket);
    let opening = heard.opening();
    let mut connecting = TlsConnector::from(config.clone()).connect(asked, heard).into_fallible();
    let mut learned = Learned::default();
    let shaking = poll_fn(|cx| {
        let poll = Pin::new(&mut connecting).poll(cx);
        let more = verify::learned();
        learned.requested |= more.requested;
        learned.refused = more.refused.or(learned.refused.take());
        poll
    });
    let ended = timeout(limit, shaking).await;
    // The socket is still there, in `ended` or in `connecting`.
    let counters = wire.info();
    let mut failure = match ended {
        Ok(Ok(stream)) => {
            let secured = Secured::new(stream, began.elapsed());
            let _ = wire.tls.set(Secrecy {
                sni,
                version: secured.version(),
                certificate_requested: learned.requested,
                certificate_shown: learned.requested
                    && config.client_auth_cert_resolver.has_certs(),
            });
            return Ok(secured);
        }
        Ok(Err((error, _))) => broken(&error),
        Err(_elapsed) => Failure::new(Side::Origin, Phase::Tls, Fault::TimedOut),
    };
    if failure.fault == Fault::TlsNotTls {
        failure = opening.note(failure);
    }
    if let Some(counters) = counters {
        counters.note(&mut failure);
        failure.evidence.set_if_absent(Key::PacketsLost, counters.packets_lost());
    }
    failure.evidence.set_if_absent(Key::Received, opening.len());
    let own = learned.refused.as_ref().is_some_and(|refused| refused.self_issued);
    let unknown = matches!(failure.fault, Fault::Certificate(CertificateFault::Untrusted));
    if own && (unknown || failure.evidence.text(Key::Rule) == Some(AUTHORITY)) {
        failure.fault = Fault::Certificate(CertificateFault::SelfSigned);
        failure.evidence.remove(Key::Rule);
    }
    if let Some(refused) = learned.refused {
        refused.note(&mut failure);
    }
    let offered = config.alpn_protocols.iter().map(|name| String::from_utf8_lossy(name));
    let offered = offered.collect::<Vec<_>>().join(", ");
    let mut put = |key, text: String| failure.evidence.set_if_absent(key, text);
    put(Key::Sni, name.to_owned());
    put(Key::Versions, VERSIONS.to_owned());
    put(Key::Ciphers, ciphers());
    put(Key::Offered, offered);
    failure.evidence.set_if_absent(Key::CertificateRequested, learned.requested);
    Err(failure)
}

/// What an error of a handshake says.
fn broken(error: &io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => refused(error),
        None => Failure::new(Side::Origin, Phase::Tls, tcp::broken(error)),
    }
}

/// What an error of rustls' says, before the handshake's end or after it.
pub(crate) fn refused(error: &Error) -> Failure {
    let failure = |fault| Failure::new(Side::Origin, Phase::Tls, fault);
    match error {
        Error::AlertReceived(alert) => failure(Fault::TlsAlert(u8::from(*alert))),
        Error::InvalidCertificate(why) => {
            let fault = certificate(why);
            let failure = failure(Fault::Certificate(fault));
            if fault == CertificateFault::Invalid {
                failure.with(Key::Rule, objection(why))
            } else {
                failure
            }
        }
        Error::NoCertificatesPresented => {
            failure(Fault::Certificate(CertificateFault::Invalid)).with(Key::Rule, "none was sent")
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => failure(Fault::TlsNotTls),
        other => failure(Fault::TlsHandshake).with(Key::Rule, rule(other)),
    }
}

fn certificate(why: &CertificateError) -> CertificateFault {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::WrongName
        }
        CertificateError::UnknownIssuer => CertificateFault::Untrusted,
        CertificateError::Revoked => CertificateFault::Revoked,
        _ => CertificateFault::Invalid,
    }
}

/// What is said of a certificate that only its bearer could have issued.
const AUTHORITY: &str = "it is an authority's, and no server's";

/// What is wrong with a certificate that is invalid otherwise, in our words.
fn objection(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::BadEncoding => "it cannot be read",
        CertificateError::BadSignature => "its signature does not fit",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not meant for servers"
        }
        CertificateError::UnhandledCriticalExtension => {
            "it demands something that is not known here"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that is not supported"
        }
        CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity" => AUTHORITY,
        _ => "it was refused by the TLS library",
    }
}

/// What the two ends could not agree on, in our words.
fn rule(error: &Error) -> &'static str {
    match error {
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => "no version of TLS in common",
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "no cipher suite in common"
        }
        Error::PeerIncompatible(
            PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::KeyShareExtensionRequired,
        ) => "no key exchange in common",
        Error::PeerIncompatible(_) => "no set of features in common",
        Error::PeerMisbehaved(_) => "the other end does not keep to the protocol",
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => "a broken message",
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "a message out of turn"
        }
        Error::DecryptError => "a message that cannot be decrypted",
        _ => "an error of the TLS library",
    }
}
