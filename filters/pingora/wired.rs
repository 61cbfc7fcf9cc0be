//! What the connection to the origin itself tells of a failure.

use std::sync::atomic::Ordering;

use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Sent, Side, sniff};

use crate::connect::{TcpInfo, Wire};
use crate::context::Case;

impl Case {
    /// Adds it to a failure on the origin's side.
    pub(crate) fn ask_the_wire(&mut self, failure: &mut Failure) {
        self.settle_sent();
        if failure.side != Side::Origin {
            return;
        }
        let Some(wire) = self.wire.clone() else { return };
        if let Some(info) = wire.info()
            && info.unsent > 0
            && !wire.http2.load(Ordering::Relaxed)
            && matches!(failure.phase, Phase::Send | Phase::Wait)
            && matches!(failure.fault, Fault::Closed | Fault::Reset | Fault::TimedOut)
        {
            self.still_sending(info, failure);
        }
        note(&wire, failure);
    }

    /// The whole request may have been written, but a part of it never left this machine.
    fn still_sending(&mut self, info: TcpInfo, failure: &mut Failure) {
        if let Some(attempt) = self.exchange.last_attempt_mut() {
            attempt.sent = Sent::Partial;
        }
        if failure.fault == Fault::TimedOut {
            if failure.phase == Phase::Wait {
                // It was the answer that was waited for, as far as Pingora knew.
                self.limit(failure, |timeouts| &timeouts.read);
            }
            // An origin that reads slowly shuts its window as well, time and again.
            let limit = failure.evidence.number(Key::LimitMs).unwrap_or_default();
            if u64::from(info.quiet) < limit / 4 {
                failure.evidence.set_if_absent(Key::WindowClosed, false);
            }
        }
        failure.phase = Phase::Send;
    }

    /// Bytes of the request that were written and never left this machine.
    pub(crate) fn unsent(&self) -> u64 {
        let wire = self.wire.as_ref().filter(|wire| !wire.http2.load(Ordering::Relaxed));
        wire.and_then(|wire| wire.info()).map_or(0, |info| info.unsent.into())
    }
}

/// Adds what a connection tells of a failure on the origin's side.
pub(crate) fn note(wire: &Wire, failure: &mut Failure) {
    match wire.info() {
        Some(info) => {
            info.note(failure);
            failure.evidence.set_if_absent(Key::PacketsLost, info.packets_lost());
        }
        None if wire.local => failure.evidence.set_if_absent(Key::Acknowledged, true),
        None => {}
    }
    if wire.late > 0 {
        failure.evidence.set_if_absent(Key::SynRetransmits, u64::from(wire.late));
    }
    if wire.greeted.load(Ordering::Relaxed) {
        failure.evidence.set_if_absent(Key::Greeted, true);
    }
    if wire.http2.load(Ordering::Relaxed) {
        of_http2(wire, failure);
    }
    if failure.phase > Phase::Tls {
        of_tls(wire, failure);
    }
}

fn of_http2(wire: &Wire, failure: &mut Failure) {
    if let Some(goodbye) = wire.goodbye()
        && matches!(failure.fault, Fault::GoAway(_) | Fault::Closed | Fault::Reset)
    {
        // What ends right after a goodbye has ended by it, though the library may see the end alone.
        failure.fault = Fault::GoAway(goodbye.code);
        failure.evidence.set_if_absent(Key::LastStream, u64::from(goodbye.last_stream));
        return;
    }
    let opening = wire.opening.get().map_or(&[][..], |opening| opening);
    match failure.fault {
        // What is no HTTP/2 ends the connection by the library's own doing.
        Fault::Malformed | Fault::Closed | Fault::Reset if opening.starts_with(b"HTTP/1.") => {
            let noted = Failure::new(failure.side, failure.phase, Fault::Alpn);
            let noted = sniff::note(noted, &opening.escape_ascii().to_string());
            failure.fault = Fault::Alpn;
            failure.evidence.absorb(&noted.evidence);
            failure.evidence.set_if_absent(Key::Offered, "h2c");
            failure.evidence.set_if_absent(Key::Selected, "http/1.1");
        }
        Fault::Malformed if !opening.is_empty() && !speaks_http2(opening) => {
            failure.evidence.set(Key::Rule, "not HTTP/2");
            let noted = Failure::new(failure.side, failure.phase, failure.fault);
            let noted = sniff::note(noted, &opening.escape_ascii().to_string());
            failure.evidence.absorb(&noted.evidence);
        }
        Fault::Closed | Fault::Reset if failure.phase == Phase::Wait => {
            failure.evidence.set_if_absent(Key::Received, 0_u64);
        }
        // The origin gave the stream no room, and the connection had some.
        Fault::TimedOut if failure.phase == Phase::Send && wire.all_acknowledged() => {
            failure.evidence.set_if_absent(Key::WindowClosed, true);
        }
        _ => {}
    }
}

/// Whether an origin began as every end of HTTP/2 does: with a frame of settings (RFC 9113 section
/// 3.4), so far as that came.
fn speaks_http2(opening: &[u8]) -> bool {
    const SETTINGS: u8 = 4;
    opening.get(3).is_none_or(|kind| *kind == SETTINGS) && opening.first() == Some(&0)
}

/// What was said when the connection was secured. Under TLS 1.3 an origin that wants a certificate
/// says so only after that, and its last word may get lost.
fn of_tls(wire: &Wire, failure: &mut Failure) {
    let Some(tls) = wire.tls.get() else { return };
    let lost = matches!(failure.fault, Fault::TlsAlert(_) | Fault::Closed | Fault::Reset);
    if !lost {
        return;
    }
    if tls.certificate_requested {
        failure.evidence.set_if_absent(Key::CertificateRequested, true);
        failure.evidence.set_if_absent(Key::CertificateShown, tls.certificate_shown);
    }
    if let Some(sni) = &tls.sni {
        failure.evidence.set_if_absent(Key::Sni, sni.to_string());
    }
    failure.evidence.set_if_absent(Key::Versions, tls.version);
}
