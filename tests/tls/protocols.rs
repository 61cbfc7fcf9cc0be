//! Which HTTP is spoken to an origin: `protocol` against what the origin speaks.

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::{app, trusting};
use crate::rig::certificates::{Authority, Says};
use crate::rig::frames::{Frame, Framed};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;

/// Speaks whichever of the two it is spoken to in, and says which that was.
pub(super) fn bilingual(mut connection: Conversation) {
    if !connection.begins(b"PRI ") {
        while connection.request().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhttp1");
        }
        return;
    }
    let Some(mut framed) = Framed::greet(connection) else { return };
    while let Some(stream) = framed.request() {
        framed.send_all(&[Frame::status(stream, 200, false), Frame::data(stream, b"http2", true)]);
    }
}

/// The answer's body where there is one of the origin's, else the cause.
fn outcome(told: &Told) -> String {
    match told.text("cause") {
        "" => told.answer().text(),
        cause => cause.to_owned(),
    }
}

#[test]
fn what_is_spoken_over_tls_is_agreed_on() {
    let (both, one, two): (&[&str], &[&str], &[&str]) =
        (&["h2", "http/1.1"], &["http/1.1"], &["h2"]);
    let root = Authority::new("root");
    for version in [&TLS12, &TLS13] {
        for (protocol, spoken, outcome_of) in [
            ("auto", one, "http1"),
            ("auto", two, "http2"),
            ("auto", both, "http2"),
            ("auto", &[][..], "http1"),
            ("http1", one, "http1"),
            ("http1", two, "alpn_mismatch"),
            ("http1", both, "http1"),
            ("http1", &[][..], "http1"),
            ("h2", one, "alpn_mismatch"),
            ("h2", two, "http2"),
            ("h2", both, "http2"),
            ("h2", &[][..], "alpn_mismatch"),
        ] {
            let tls = Tls::new(root.signs(&app())).speaking(spoken).only(version);
            let origin = Origin::tls(&tls, bilingual);
            let settings = trusting(&origin, &root, ", sni: app.test").once();
            let told = settings.having(&format!("protocol: {protocol}")).start().get("/");
            let what = format!("{protocol} to {spoken:?}: {:#}", told.record);
            assert_eq!(outcome(&told), outcome_of, "{what}");
            if outcome_of == "alpn_mismatch" {
                let offered = if protocol == "h2" { "h2" } else { "http/1.1" };
                assert_eq!(told.text("evidence.offered"), offered, "{what}");
                assert_eq!((told.text("party"), told.text("certainty")), ("proxy", "proved"));
            } else {
                let chosen = tls.handshakes().pop().expect("one").protocol;
                let spoken = spoken.iter().any(|name| chosen.as_deref() == Some(name.as_bytes()));
                assert!(spoken || chosen.is_none(), "{what}");
            }
        }
    }
}

#[test]
fn what_is_spoken_in_plain_text_is_the_configurations_word() {
    let silent = |mut connection: Conversation| {
        // An origin of HTTP/2 alone says so, and goes.
        if !connection.begins(b"PRI ") {
            let frames = [Frame::settings(), Frame::goaway(0, 1)];
            connection.pour(&frames.iter().flat_map(Frame::bytes).collect::<Vec<_>>());
            return connection.close();
        }
        bilingual(connection);
    };
    for (protocol, origin, expected) in [
        ("auto", Origin::new(bilingual), "http1"),
        ("http1", Origin::new(bilingual), "http1"),
        ("h2c", Origin::new(bilingual), "http2"),
        ("auto", Origin::new(silent), "response_malformed"),
        ("http1", Origin::new(silent), "response_malformed"),
        ("h2c", Origin::new(silent), "http2"),
    ] {
        let settings = Settings::endpoints(&[&origin.endpoint]).once();
        let told = settings.having(&format!("protocol: {protocol}")).start().get("/");
        assert_eq!(outcome(&told), expected, "{protocol}: {:#}", told.record);
        if expected == "response_malformed" {
            assert_eq!(told.text("evidence.looks_like"), "HTTP/2");
        }
    }
}

/// What an origin that knows its clients says to this one.
fn knowing(
    version: &'static SupportedProtocolVersion,
    protocol: &'static str,
    keys: &str,
    clients: &Authority,
) -> (Told, Tls) {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&app())).only(version).knowing(clients).speaking(&[protocol]);
    let origin = Origin::tls(&tls, bilingual);
    let told = trusting(&origin, &root, &format!(", sni: app.test{keys}")).once().start().get("/");
    (told, tls)
}

#[test]
fn a_certificate_of_ours_is_taken_refused_or_missed() {
    let (clients, others) = (Authority::new("clients"), Authority::new("others"));
    let says = Says::names(&["edge.test"]).of_a_client();
    let (own, foreign) = (clients.signs(&says), others.signs(&says));
    let keys = |identity: &crate::rig::certificates::Identity| {
        let (cert, key) = (identity.file(), identity.key_file());
        format!(", client_cert: \"{}\", client_key: \"{}\"", cert.display(), key.display())
    };
    for version in [&TLS12, &TLS13] {
        for protocol in ["http/1.1", "h2"] {
            let (told, tls) = knowing(version, protocol, &keys(&own), &clients);
            assert_eq!(told.status(), 200, "{:#}", told.record);
            let seen = tls.handshakes().pop().expect("one");
            assert_eq!(seen.client, own.chain().first().cloned());
            for keys in [String::new(), keys(&foreign)] {
                let (told, tls) = knowing(version, protocol, &keys, &clients);
                let what = format!("{version:?} {protocol} {keys:?}: {:#}", told.record);
                assert_eq!(told.text("cause"), "tls_client_certificate_required", "{what}");
                assert_eq!((told.status(), told.text("party")), (502, "proxy"), "{what}");
                assert!(tls.handshakes().iter().all(|seen| seen.client.is_none()), "{what}");
                let member = told.member.as_ref().expect("a verdict");
                let alert = member.param("alert-id").is_some_and(|id| id.parse::<u8>().is_ok());
                assert!(alert || told.text("certainty") == "likely", "{what}");
            }
        }
    }
}

/// Alerts by their numbers (RFC 8446 section 6 and the IANA registry), one of them nobody's.
#[test]
fn an_alert_is_told_by_its_number_and_its_name() {
    let root = Authority::new("root");
    for (number, name, cause) in [
        (10, "unexpected_message", "tls_alert_received"),
        (20, "bad_record_mac", "tls_alert_received"),
        (40, "handshake_failure", "tls_alert_received"),
        (42, "bad_certificate", "tls_alert_received"),
        (47, "illegal_parameter", "tls_alert_received"),
        (49, "access_denied", "tls_alert_received"),
        (70, "protocol_version", "tls_alert_received"),
        (71, "insufficient_security", "tls_alert_received"),
        (80, "internal_error", "tls_alert_received"),
        (86, "inappropriate_fallback", "tls_alert_received"),
        (112, "unrecognized_name", "tls_sni_rejected"),
        (115, "unknown_psk_identity", "tls_alert_received"),
        (116, "certificate_required", "tls_client_certificate_required"),
        (120, "no_application_protocol", "alpn_mismatch"),
        (201, "", "tls_alert_received"),
    ] {
        let tls = Tls::new(root.signs(&app())).refusing(number);
        let origin = Origin::tls(&tls, Conversation::hold);
        let told = trusting(&origin, &root, ", sni: app.test").once().start().get("/");
        assert_eq!(told.text("cause"), cause, "{number}: {:#}", told.record);
        assert_eq!(told.value("evidence.alert_id"), number, "{:#}", told.record);
        assert_eq!(told.text("evidence.alert"), name, "{:#}", told.record);
        let member = told.member.as_ref().expect("a verdict");
        if told.text("error") == "tls_alert_received" {
            let number = number.to_string();
            assert_eq!(member.param("alert-id"), Some(number.as_str()), "{member:?}");
            let named = member.param("alert-message");
            assert_eq!(named, Some(name).filter(|name| !name.is_empty()), "{member:?}");
        }
    }
}
