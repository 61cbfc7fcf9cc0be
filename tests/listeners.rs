//! Listeners: TLS with clients, and their coming and going while requests run.

mod clients;
mod failed;
mod hot;
mod renewed;

use std::process::Command;

use crate::rig::certificates::{Authority, Identity, Says};
use crate::rig::h2client::Http2;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::secured::{Secured, Wants};
use crate::rig::settings::Settings;
use crate::rig::skip;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An authority, and a certificate of its for `app.test`.
fn own() -> (Authority, Identity) {
    let root = Authority::new("root");
    let own = root.signs(&Says::names(&["app.test"]));
    (root, own)
}

/// A proxy before this origin whose one listener speaks TLS with this certificate.
fn proxy(origin: &Origin, own: &Identity, more: &str) -> Proxy {
    Settings::to(origin).secured(&[own], more).start()
}

#[test]
fn the_certificate_is_chosen_by_name() {
    let root = Authority::new("root");
    let sign = |names: &[&str]| root.signs(&Says::names(names));
    let first = sign(&["first.test", "*.first.test"]);
    let wild = sign(&["*.wild.test"]);
    let exact = sign(&["app.wild.test", "Other.Test"]);
    let again = sign(&["first.test"]);
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).secured(&[&first, &wild, &exact, &again], "").start();
    assert!(proxy.said().contains("`first.test` stands in the certificate"), "{}", proxy.said());
    let shown = |wants: &Wants, name| wants.connect(proxy.address(), name).expect("TLS").shown();
    for (name, expected) in [
        ("first.test", &first),
        ("x.first.test", &first),
        ("wild.test", &first),
        ("x.wild.test", &wild),
        ("app.wild.test", &exact),
        ("APP.wild.TEST", &exact),
        ("other.test", &exact),
        ("x.y.wild.test", &first),
        ("nowhere.test", &first),
        ("127.0.0.1", &first),
    ] {
        assert_eq!(shown(&Wants::anything(), name), expected.chain()[0], "{name}");
    }
    assert_eq!(shown(&Wants::anything().nameless(), "other.test"), first.chain()[0]);
    let strict = Wants::anything().trusting(&root);
    assert_eq!(shown(&strict, "x.wild.test"), wild.chain()[0]);
}

#[test]
fn what_is_asked_over_tls_is_told_to_the_origin() {
    let (root, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    let wants = Wants::anything().trusting(&root);
    for version in rustls::ALL_VERSIONS {
        let told = proxy.exchange(|| {
            let mut client = wants.clone().only(version).connect(proxy.address(), "app.test");
            client.as_mut().expect("TLS").get("").ok()
        });
        assert_eq!(told.status(), 200);
        assert_eq!(told.text("protocol"), "HTTP/1.1");
        assert_eq!(told.text("listener"), proxy.address().to_string());
    }
    for request in origin.requests() {
        assert_eq!(request.fields.text("x-forwarded-proto").as_deref(), Some("https"));
    }
}

#[test]
fn sessions_are_resumed() {
    let (root, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    for version in rustls::ALL_VERSIONS {
        let config = Wants::anything().trusting(&root).only(version).config();
        for again in [false, true] {
            proxy.exchange(|| {
                let mut client = Secured::by(&config, proxy.address(), "app.test").expect("TLS");
                assert_eq!(client.resumed(), again, "{version:?}");
                client.get("").ok()
            });
        }
    }
}

#[test]
fn http2_is_chosen_unless_it_is_not_offered() {
    let (root, own) = own();
    let origin = Origin::answering(OK);
    let wants = Wants::anything().trusting(&root).speaking(&["h2", "http/1.1"]);
    let both = proxy(&origin, &own, "");
    let told =
        both.exchange(|| Http2::secured(both.address(), wants.config(), "app.test").get("/"));
    assert_eq!((told.status(), told.text("protocol")), (200, "HTTP/2"));
    let proto = origin.requests()[0].fields.text("x-forwarded-proto");
    assert_eq!(proto.as_deref(), Some("https"));
    let one = proxy(&origin, &own, "http2: false");
    let told = one.exchange(|| wants.connect(one.address(), "app.test").expect("TLS").get("").ok());
    assert_eq!((told.status(), told.text("protocol")), (200, "HTTP/1.1"));
}

#[test]
fn curl_speaks_either() {
    let (root, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    if Command::new("curl").arg("--version").output().is_err() {
        return skip("curl_speaks_either", "there is no curl");
    }
    let port = proxy.address().port();
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        proxy.exchange(|| {
            let asked = Command::new("curl")
                .args(["-sS", "--noproxy", "*", flag, "-w", " %{http_version}", "--cacert"])
                .arg(root.file())
                .args(["--resolve", &format!("app.test:{port}:127.0.0.1")])
                .arg(format!("https://app.test:{port}/"))
                .output()
                .expect("it runs");
            assert_eq!(
                String::from_utf8_lossy(&asked.stdout),
                format!("ok {version}"),
                "{asked:?}"
            );
            None
        });
    }
}

#[test]
fn only_what_is_whole_ends_with_a_good_bye() {
    let (root, own) = own();
    let (whole, cut) = (
        Origin::answering(OK),
        Origin::new(|mut connection| {
            connection.request();
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            connection.close();
        }),
    );
    let wants = Wants::anything().trusting(&root);
    for (origin, good) in [(&whole, true), (&cut, false)] {
        let proxy = proxy(origin, &own, "");
        let told = proxy.exchange(|| {
            let mut client = wants.connect(proxy.address(), "app.test").expect("TLS");
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").ok();
            assert_eq!(client.ends_well(), good);
            None
        });
        assert_eq!(told.value("cause").is_null(), good);
    }
    let proxy = Settings::endpoints(&["127.0.0.1:9"]).secured(&[&own], "").start();
    let told = proxy.exchange(|| {
        let mut client = wants.connect(proxy.address(), "app.test").expect("TLS");
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").ok();
        assert!(client.ends_well());
        None
    });
    assert_eq!(told.text("cause"), "connect_refused");
}

#[test]
fn many_requests_go_over_one_connection() {
    let (root, own) = own();
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    let wants = Wants::anything().trusting(&root);
    let told = proxy.exchanges(50, || {
        let mut client = wants.connect(proxy.address(), "app.test").expect("TLS");
        (0..50).map(|_| client.get("").ok()).collect()
    });
    assert!(told.iter().all(|told| told.status() == 200));
}
