//! TLS to the origin, with certificates of every kind: what is wrong with them is told, and what is
//! not wrong passes.

mod protocols;
mod traffic;
mod trust;

use std::path::Path;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};

use crate::causes::Outcome::Made;
use crate::causes::{Expected, cases};
use crate::rig::certificates::{Authority, Identity, Says};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const BAD: Expected = Expected {
    cause: "tls_certificate_expired",
    party: "origin",
    phase: "tls",
    certainty: "proved",
    sent: "none",
    outcome: Made(502),
    error: "tls_certificate_error",
    params: &[("next-hop", "*")],
    evidence: &["subject", "issuer"],
};

const REFUSED: Expected = Expected {
    cause: "tls_client_certificate_required",
    party: "proxy",
    phase: "tls|wait",
    error: "tls_alert_received",
    params: &[("alert-id", "116"), ("alert-message", "*"), ("next-hop", "*")],
    evidence: &["alert_id"],
    ..BAD
};

fn app() -> Says {
    Says::names(&["app.test"])
}

fn serve(mut connection: Conversation) {
    while connection.request().is_some() {
        connection.send(OK);
    }
}

fn serving(tls: &Tls) -> Origin {
    Origin::tls(tls, serve)
}

/// A proxy's settings before this origin that trust this authority, with these other keys of `tls`.
fn trusting(origin: &Origin, root: &Authority, keys: &str) -> Settings {
    let ca = root.file();
    Settings::endpoints(&[&origin.endpoint])
        .having(&format!("tls: {{ ca: \"{}\"{keys} }}", ca.display()))
}

/// A GET to an origin that speaks TLS so, by a proxy that trusts this authority and has these other
/// keys of `tls`.
fn asked(tls: &Tls, root: &Authority, keys: &str) -> Told {
    let origin = serving(tls);
    let ca = root.file();
    Settings::to(&origin)
        .once()
        .having(&format!("tls: {{ ca: \"{}\"{keys} }}", ca.display()))
        .start()
        .get("/")
}

/// The same for the name `app.test`, with the certificate that `make` has the authority sign.
fn shown(make: impl FnOnce(&Authority) -> Identity) -> Told {
    let root = Authority::new("root");
    asked(&Tls::new(make(&root)), &root, ", sni: app.test")
}

/// A certificate that is on its issuer's list, or is not.
fn listed(revoked: bool) -> Told {
    let root = Authority::new("root");
    let (own, other) = (root.signs(&app()), root.signs(&app()));
    let list = root.revokes(&[if revoked { &own } else { &other }]);
    asked(&Tls::new(own), &root, &format!(", sni: app.test, crl: \"{}\"", list.display()))
}

/// A certificate that is on its issuer's list, although the file of authorities has it as well.
fn listed_and_named() -> Told {
    let root = Authority::new("root");
    let own = root.signs(&app());
    let (ca, crl) = (root.file().with_file_name("both.pem"), root.revokes(&[&own]));
    let read = |path| std::fs::read_to_string(path).expect("it was written");
    std::fs::write(&ca, read(root.file()) + &read(own.file())).expect("the folder is ours");
    let origin = serving(&Tls::new(own));
    let (ca, crl) = (ca.display(), crl.display());
    let keys = format!("tls: {{ ca: \"{ca}\", crl: \"{crl}\", sni: app.test }}");
    Settings::to(&origin).once().having(&keys).start().get("/")
}

/// An origin that wants to know its clients, in this version.
fn knowing(version: &'static SupportedProtocolVersion) -> Told {
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    let tls = Tls::new(root.signs(&app())).only(version).knowing(&clients);
    asked(&tls, &root, ", sni: app.test")
}

cases! {
    tls_certificate_expired = Expected { evidence: &["subject", "issuer", "not_after"], ..BAD },
        || shown(|root| root.signs(&app().expired()));
    tls_certificate_not_yet_valid = Expected {
        cause: "tls_certificate_not_yet_valid", evidence: &["subject", "not_before"], ..BAD
    }, || shown(|root| root.signs(&app().not_yet_valid()));
    tls_certificate_wrong_name = Expected {
        cause: "tls_certificate_wrong_name", evidence: &["subject", "names", "sni"], ..BAD
    }, || {
        let told = shown(|root| root.signs(&Says::names(&["other.test", "192.0.2.1"])));
        let names = told.value("evidence.names").to_string();
        assert!(names.contains("other.test") && names.contains("192.0.2.1"), "{names}");
        assert_eq!(told.text("evidence.sni"), "app.test");
        told
    };
    /// No name was given: the address is what the certificate must be for.
    tls_certificate_of_another_address = Expected {
        cause: "tls_certificate_wrong_name", evidence: &["subject", "names", "sni"], ..BAD
    }, || {
        let root = Authority::new("root");
        asked(&Tls::new(root.signs(&Says::names(&["192.0.2.1", "localhost"]))), &root, "")
    };
    tls_certificate_of_an_unknown_authority = Expected {
        cause: "tls_certificate_untrusted", ..BAD
    }, || shown(|_| Authority::new("another").signs(&app()));
    tls_certificate_with_one_missing = Expected { cause: "tls_certificate_untrusted", ..BAD },
        || shown(|root| root.beneath("between").signs(&app()).alone());
    tls_certificate_self_signed = Expected { cause: "tls_certificate_self_signed", ..BAD },
        || shown(|_| Identity::of_its_own(&app()));
    tls_certificate_revoked = Expected { cause: "tls_certificate_revoked", ..BAD }, || listed(true);
    tls_certificate_revoked_though_named = Expected { cause: "tls_certificate_revoked", ..BAD },
        listed_and_named;
    tls_certificate_for_clients = Expected {
        cause: "tls_certificate_invalid", evidence: &["subject", "rule"], ..BAD
    }, || shown(|root| root.signs(&app().of_a_client()));
    tls_client_certificate_required = REFUSED, || knowing(&TLS12);
    /// With TLS 1.3 the client is done before it is refused.
    tls_client_certificate_required_afterwards = Expected { sent: "full|acked", ..REFUSED }, || knowing(&TLS13);
    tls_name_rejected = Expected {
        cause: "tls_sni_rejected",
        phase: "tls",
        params: &[("alert-id", "112"), ("alert-message", "*")],
        evidence: &["alert_id", "sni"],
        ..REFUSED
    }, || {
        let root = Authority::new("root");
        asked(&Tls::new(root.signs(&app())).refusing(112), &root, ", sni: app.test")
    };
    tls_alert_of_the_origin = Expected {
        cause: "tls_alert_received",
        party: "origin",
        phase: "tls",
        params: &[("alert-id", "80"), ("alert-message", "*")],
        ..REFUSED
    }, || {
        let root = Authority::new("root");
        asked(&Tls::new(root.signs(&app())).refusing(80), &root, ", sni: app.test")
    };
    alpn_mismatch = Expected {
        cause: "alpn_mismatch",
        party: "proxy",
        error: "http_upgrade_failed",
        evidence: &["offered"],
        ..BAD
    }, || {
        let root = Authority::new("root");
        let origin = serving(&Tls::new(root.signs(&app())).speaking(&["http/1.1"]));
        only_http2(&origin, &root)
    };
    /// It takes no part in choosing a protocol, which is to say that it speaks HTTP/1.1.
    alpn_unanswered = Expected {
        cause: "alpn_mismatch",
        party: "proxy",
        error: "http_upgrade_failed",
        evidence: &["offered"],
        ..BAD
    }, || {
        let root = Authority::new("root");
        only_http2(&serving(&Tls::new(root.signs(&app()))), &root)
    };
}

/// A GET by a proxy that may speak nothing but HTTP/2.
fn only_http2(origin: &Origin, root: &Authority) -> Told {
    Settings::to(origin)
        .once()
        .having(&format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display()))
        .having("protocol: h2")
        .start()
        .get("/")
}

#[test]
fn good_certificates_pass_in_each_version() {
    for (version, number) in
        [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        let root = Authority::new("root");
        let own = root.beneath("between").signs(&Says::names(&["app.test"]));
        let tls = Tls::new(own).only(version);
        assert_eq!(asked(&tls, &root, ", sni: app.test").status(), 200);
        let seen = tls.handshakes().pop().expect("one");
        assert_eq!((seen.name.as_deref(), seen.version), (Some("app.test"), Some(number)));
    }
}

#[test]
fn an_address_is_good_for_a_certificate_that_names_it() {
    let root = Authority::new("root");
    let tls = Tls::new(root.signs(&Says::names(&["127.0.0.1"])));
    assert_eq!(asked(&tls, &root, "").status(), 200);
    assert_eq!(tls.handshakes()[0].name, None, "an address is no name (RFC 6066 section 3)");
}

#[test]
fn a_list_that_does_not_name_a_certificate_lets_it_pass() {
    assert_eq!(listed(false).status(), 200);
}

#[test]
fn a_certificate_that_nobody_checks_may_be_as_bad_as_it_likes() {
    let origin = serving(&Tls::new(Identity::of_its_own(&Says::names(&["other.test"]).expired())));
    let proxy =
        Settings::to(&origin).once().having("tls: { verify: false, sni: app.test }").start();
    assert_eq!(proxy.get("/").status(), 200);
}

#[test]
fn a_client_certificate_is_shown_to_who_asks_for_it() {
    for version in [&TLS12, &TLS13] {
        let (root, clients) = (Authority::new("root"), Authority::new("clients"));
        let own = clients.signs(&Says::names(&["edge.test"]).of_a_client());
        let tls = Tls::new(root.signs(&app())).only(version).knowing(&clients);
        let (cert, key) = (own.file(), own.key_file());
        let path = |path: &Path| path.display().to_string();
        let keys = format!(
            ", sni: app.test, client_cert: \"{}\", client_key: \"{}\"",
            path(&cert),
            path(&key)
        );
        assert_eq!(asked(&tls, &root, &keys).status(), 200);
        let seen = tls.handshakes().pop().expect("one");
        assert_eq!(seen.client, own.chain().first().cloned());
    }
}

/// It ended with a FIN, and not with a reset, although TLS misses a goodbye.
#[test]
fn an_answer_that_is_cut_short_is_told_by_how_the_connection_ended() {
    for (end, left) in
        [(Conversation::cut as fn(Conversation), "closed"), (Conversation::reset, "reset")]
    {
        let root = Authority::new("root");
        let origin = Origin::tls(&Tls::new(root.signs(&app())), move |mut connection| {
            connection.request();
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            // The proxy has read it by then: a reset would throw it away.
            connection.left_within(Duration::from_millis(50));
            end(connection);
        });
        let trust = format!("tls: {{ ca: \"{}\", sni: app.test }}", root.file().display());
        let told = Settings::to(&origin).having(&trust).start().get("/");
        assert_eq!(told.text("cause"), "response_truncated", "{:#}", told.record);
        assert_eq!(told.text("evidence.left"), left, "{:#}", told.record);
    }
}
