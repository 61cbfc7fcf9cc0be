//! Clients that prove who they are by a certificate.

use std::path::Path;
use std::sync::Arc;

use super::{OK, own};
use crate::rig::certificates::{Authority, Identity, Says};
use crate::rig::h2client::Http2;
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::secured::{Secured, Wants};
use crate::rig::settings::Settings;

const CLAIMS: &str = "X-Client-Subject: CN=admin\r\nx_client_subject: CN=root\r\n";

fn start(origin: &Origin, clients: &Path, more: &str) -> Proxy {
    let (_, own) = own();
    let clients = clients.display();
    let entry = format!("client_auth: {{ ca: \"{clients}\", forward: X-Client-Subject, {more} }}");
    Settings::to(origin).secured(&[&own], &entry).start()
}

fn known(root: &Authority, subject: &str) -> Arc<Identity> {
    Arc::new(root.signs(&Says::names(&["client.test"]).of_a_client().of(subject)))
}

/// A client that shows this is turned away, for this reason.
fn turned_away(proxy: &Proxy, wants: &Wants, rule: &str) {
    let told = proxy.exchange(|| {
        // In TLS 1.3 a client has heard all that it waits for before it is judged.
        let refused = wants.connect(proxy.address(), "app.test").and_then(|mut c| c.get(""));
        refused.map(drop).expect_err("it is turned away");
        None
    });
    assert_eq!(told.text("cause"), "client_tls_failed", "{:#}", told.record);
    assert_eq!(told.text("evidence.rule"), rule, "{:#}", told.record);
}

#[test]
fn a_known_client_is_named_and_others_are_turned_away() {
    let clients = Authority::new("clients");
    let origin = Origin::answering(OK);
    let proxy = start(&origin, &clients.file(), "");
    let good = Wants::anything().showing(&known(&clients, "a, CN=\u{e9}"));
    let told =
        proxy.exchange(|| good.connect(proxy.address(), "app.test").expect("TLS").get(CLAIMS).ok());
    assert_eq!(told.status(), 200);
    assert_eq!(told.text("client_subject"), "CN=a\\, CN\\=\\c3\\a9");
    let request = origin.requests().remove(0);
    assert_eq!(request.fields.all("x-client-subject"), ["CN=a\\, CN\\=\\c3\\a9"]);
    assert!(request.fields.all("x_client_subject").is_empty());

    let over_http2 = good.clone().speaking(&["h2"]).config();
    let told = proxy.exchange(|| Http2::secured(proxy.address(), over_http2, "app.test").get("/"));
    assert_eq!(told.text("client_subject"), "CN=a\\, CN\\=\\c3\\a9");

    turned_away(&proxy, &Wants::anything(), "no client certificate");
    let strange = Wants::anything().showing(&known(&Authority::new("others"), "a"));
    let untrusted = "the client's certificate is from an authority that is not trusted";
    turned_away(&proxy, &strange, untrusted);
    let old = Says::names(&["client.test"]).of_a_client().expired();
    let old = Wants::anything().showing(&Arc::new(clients.signs(&old)));
    turned_away(&proxy, &old, "the client's certificate has expired");
    let server = Wants::anything().showing(&Arc::new(clients.signs(&Says::names(&["x.test"]))));
    turned_away(&proxy, &server, "the client's certificate cannot be used");
}

#[test]
fn a_certificate_may_be_optional_but_not_bad() {
    let clients = Authority::new("clients");
    let origin = Origin::answering(OK);
    let proxy = start(&origin, &clients.file(), "required: false");
    let nobody = Wants::anything();
    let told = proxy
        .exchange(|| nobody.connect(proxy.address(), "app.test").expect("TLS").get(CLAIMS).ok());
    assert_eq!(told.status(), 200);
    assert!(told.value("client_subject").is_null());
    assert!(origin.requests()[0].fields.all("x-client-subject").is_empty());
    let strange = Wants::anything().showing(&known(&Authority::new("others"), "a"));
    let untrusted = "the client's certificate is from an authority that is not trusted";
    turned_away(&proxy, &strange, untrusted);
}

#[test]
fn a_certificate_taken_back_is_refused_in_resumed_sessions_as_well() {
    let clients = Authority::new("clients");
    let (good, bad) = (known(&clients, "good"), known(&clients, "bad"));
    let origin = Origin::answering(OK);
    let (_, own) = own();
    let entry =
        |more: &str| format!("client_auth: {{ ca: \"{}\"{more} }}", clients.file().display());
    let settings = |more: &str| {
        Settings::to(&origin).with("reload", "watch: false").secured(&[&own], &entry(more))
    };
    let mut proxy = settings("").start();
    let config = Wants::anything().showing(&bad).config();
    for again in [false, true] {
        proxy.exchange(|| {
            let mut client = Secured::by(&config, proxy.address(), "app.test").expect("TLS");
            assert_eq!(client.resumed(), again);
            client.get("").ok()
        });
    }
    let list = clients.revokes(&[&bad]);
    proxy.rewrite(&settings(&format!(", crl: \"{}\"", list.display())));
    proxy.process().signal(rustix::process::Signal::HUP);
    crate::rig::until("the list to be taken up", || {
        proxy.said().contains("configuration reloaded").then_some(())
    });
    let told = proxy.exchange(|| {
        let refused = Secured::by(&config, proxy.address(), "app.test").and_then(|mut c| c.get(""));
        refused.map(drop).expect_err("it was taken back");
        None
    });
    assert_eq!(told.text("evidence.rule"), "the client's certificate was revoked");
    let good = Wants::anything().showing(&good);
    let told =
        proxy.exchange(|| good.connect(proxy.address(), "app.test").expect("TLS").get("").ok());
    assert_eq!(told.status(), 200);
}
