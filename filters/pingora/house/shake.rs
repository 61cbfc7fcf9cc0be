//! The TLS handshake with a client, and what its failure says.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rustls::Error;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use whodunit_filters::attribution::{CertificateFault, Failure, Fault, Key, Phase, Side, sniff};

use super::hello::Hello;
use super::opening::{Spoken, open};
use super::plain::Plain;
use super::tls::ServerTls;
use crate::arrival::Left;
use crate::connect::tls_refused;

const NO_VERSION: &str = "no version of TLS in common";

/// What came of it.
pub(super) enum Shaken {
    /// A connection, and how long it took.
    Secured(Box<TlsStream<Plain>>, Duration),
    /// HTTP without TLS: what came of it so far.
    Http(Plain, BytesMut),
    /// Nothing at all: somebody looked whether the port is open.
    Nothing,
    /// It failed, after so many bytes.
    Failed(Failure, usize),
}

/// Shakes hands within `limit`, which is `timeouts.request_header`.
pub(super) async fn shake(mut plain: Plain, tls: &ServerTls, limit: Duration) -> Shaken {
    let began = Instant::now();
    let until = began + limit;
    let mut opening = BytesMut::new();
    let spoken = timeout_at(until, open(&mut plain, &mut opening)).await;
    let failed =
        |failure: Failure, opening: &[u8]| Shaken::Failed(offered(failure, opening), opening.len());
    let http = || opening.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    match spoken {
        // Whatever ended it.
        _ if opening.is_empty() => return Shaken::Nothing,
        Ok(Ok(Spoken::Tls)) => {}
        Ok(Ok(Spoken::Http)) => return Shaken::Http(plain, opening),
        Ok(Ok(Spoken::Other)) => {
            let failure = client(Fault::TlsNotTls).with(Key::Rule, "no TLS");
            let failure = sniff::note(failure, &opening.escape_ascii().to_string());
            return Shaken::Failed(failure, opening.len());
        }
        Ok(Err(error)) => return failed(lost(&error), &opening),
        // A request that does not go on is one nevertheless.
        Err(_elapsed) if opening.get(http()) == Some(&b' ') => {
            return Shaken::Http(plain, opening);
        }
        Err(_elapsed) => return failed(late(limit), &opening),
    }
    let opening = opening.freeze();
    plain.unread(opening.clone());
    let accepting = TlsAcceptor::from(tls.config.clone()).accept(plain);
    match timeout_at(until, accepting).await {
        Ok(Ok(stream)) => Shaken::Secured(Box::new(stream), began.elapsed()),
        Ok(Err(error)) => failed(broken(&error), &opening),
        Err(_elapsed) => failed(late(limit), &opening),
    }
}

fn client(fault: Fault) -> Failure {
    Failure::new(Side::Client, Phase::Tls, fault)
}

fn late(limit: Duration) -> Failure {
    client(Fault::TimedOut)
        .with(Key::Rule, "not complete in time")
        .with(Key::LimitMs, limit)
        .with(Key::Setting, "timeouts.request_header")
}

fn lost(error: &io::Error) -> Failure {
    let left = Left::of(error);
    let fault = if left == Left::Closed { Fault::Closed } else { Fault::Reset };
    let failure = client(fault).with(Key::Rule, "the client left in the middle of it");
    match left.word() {
        Some(word) => failure.with(Key::Left, word),
        None => failure,
    }
}

/// What an error of a handshake says.
fn broken(error: &io::Error) -> Failure {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return lost(error);
    };
    let rule = match error {
        Error::AlertReceived(alert) => refusal(u8::from(*alert)),
        Error::NoApplicationProtocol => "no protocol in common (ALPN)",
        Error::NoCertificatesPresented => "no client certificate",
        _ => "",
    };
    let Failure { fault, evidence, .. } = tls_refused(error);
    let fault = if matches!(error, Error::NoApplicationProtocol) { Fault::Alpn } else { fault };
    let mut failure = Failure { evidence, ..client(fault) };
    let rule = match fault {
        Fault::Certificate(why) if rule.is_empty() => certificate(why),
        _ => rule,
    };
    if !rule.is_empty() {
        failure.evidence.set(Key::Rule, rule);
    }
    failure.evidence.set_if_absent(Key::Rule, "an error of the TLS library");
    failure
}

/// What a client says by an alert (RFC 8446 section 6.2).
const fn refusal(alert: u8) -> &'static str {
    match alert {
        42..=46 | 48 => "the client refused the certificate",
        70 => NO_VERSION,
        _ => "the client broke it off",
    }
}

const fn certificate(why: CertificateFault) -> &'static str {
    match why {
        CertificateFault::Expired => "the client's certificate has expired",
        CertificateFault::NotYetValid => "the client's certificate is not valid yet",
        CertificateFault::Untrusted | CertificateFault::SelfSigned => {
            "the client's certificate is from an authority that is not trusted"
        }
        CertificateFault::Revoked => "the client's certificate was revoked",
        CertificateFault::WrongName | CertificateFault::Invalid => {
            "the client's certificate cannot be used"
        }
    }
}

/// Adds what the client offered.
fn offered(mut failure: Failure, opening: &[u8]) -> Failure {
    let Some(hello) = Hello::read(opening) else { return failure };
    let mut put = |key, text: String| {
        if !text.is_empty() {
            failure.evidence.set_if_absent(key, text);
        }
    };
    put(Key::Sni, hello.name.unwrap_or_default());
    put(Key::Versions, hello.versions.join(", "));
    put(Key::Offered, hello.protocols.join(", "));
    let modern = |version: &&str| ["TLS 1.2", "TLS 1.3"].contains(version);
    if !hello.versions.is_empty() && !hello.versions.iter().any(modern) {
        // What rustls misses first in so old a hello is something else.
        failure.evidence.set(Key::Rule, NO_VERSION);
    }
    failure
}
