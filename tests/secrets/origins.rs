//! What origins say, by every way to them and from every client.

use super::{
    FORMS, clean, faults, fields, framed, lines, met, nowhere, secret, settings, target, whole,
};
use crate::rig::certificates::{Authority, Identity, Says};
use crate::rig::dns::{Answer, Dns};
use crate::rig::h2client::{Http2, request};
use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;

/// One upstream that fails.
struct Failing {
    name: String,
    cause: &'static str,
    endpoint: String,
    keys: Vec<String>,
    /// It stops when dropped.
    _origin: Option<Origin>,
}

impl Failing {
    fn new(name: String, cause: &'static str, origin: Origin) -> Self {
        let keys = vec!["retries: { attempts: 1 }".to_owned()];
        Self { name, cause, endpoint: origin.endpoint.clone(), keys, _origin: Some(origin) }
    }

    fn having(mut self, key: impl Into<String>) -> Self {
        self.keys.push(key.into());
        self
    }
}

/// Limits that are easily broken, for all of these.
const LIMITS: &str = "response_header: 4KiB, response_header_line: 2KiB, response_headers: 32, \
    response_body: 4KiB";

/// A proxy before all of these, each on a path of its name.
fn before(all: &[Failing], more: impl FnOnce(Settings) -> Settings) -> Proxy {
    let mut all_set = settings(Settings::bare())
        .with("limits", LIMITS)
        .with("timeouts", "read: 500ms")
        .with("diagnosis", "checks: true");
    for failing in all {
        all_set = all_set.upstream(&failing.name, &[&failing.endpoint]);
        for key in &failing.keys {
            all_set = all_set.having(key);
        }
        let name = &failing.name;
        all_set = all_set.route(&format!("match: {{ path: /{name}/ }}, upstream: {name}"));
    }
    more(all_set).start()
}

/// Asks all of them, by both protocols, and looks for secrets everywhere.
fn asked(proxy: &Proxy, all: &[Failing]) {
    let client = Http2::connect(proxy.address());
    for (nth, failing) in all.iter().enumerate() {
        let form = FORMS[nth % FORMS.len()];
        let target = target(&format!("/{}/", failing.name));
        let head = format!("GET {target} HTTP/1.1\r\nHost: app.test\r\nAccept: {form}\r\n");
        let mut by_http2 = request("GET", &target).header("accept", form);
        for (name, value) in fields() {
            by_http2 = by_http2.header(name, value);
        }
        let nominated = secret("nominated");
        let told =
            proxy.send(format!("{head}{}Connection: x-one\r\nX-One: {nominated}\r\n\r\n", lines()));
        met(&format!("{} by HTTP/1.1", failing.name), &told, failing.cause);
        let told = proxy.exchange(|| client.ask(by_http2.body(()).expect("a request")));
        met(&format!("{} by HTTP/2", failing.name), &told, failing.cause);
    }
    nowhere(proxy);
}

/// A certificate for `app.test`, and the key of a configuration that trusts it.
struct Trusted {
    root: Authority,
}

impl Trusted {
    fn new() -> Self {
        Self { root: Authority::new("root") }
    }

    fn key(&self) -> String {
        format!("tls: {{ sni: app.test, ca: \"{}\" }}", self.root.file().display())
    }

    fn tls(&self) -> Tls {
        let says = Says::names(&["app.test"]).aside(&secret("good-certificate"));
        Tls::new(self.root.signs(&says))
    }
}

#[test]
fn no_secret_of_an_origin_of_http1_gets_anywhere() {
    let trusted = Trusted::new();
    let mut all = Vec::new();
    for fault in faults::ALL {
        let script = |mut connection: Conversation| {
            if connection.request().is_some() {
                (fault.act)(connection);
            }
        };
        let plain = Origin::new(script);
        all.push(Failing::new(fault.name.to_owned(), fault.cause, plain));
        let secured = Origin::tls(&trusted.tls(), script);
        let secured = Failing::new(format!("{}-by-tls", fault.name), fault.cause, secured);
        all.push(secured.having(trusted.key()));
    }
    let proxy = before(&all, |settings| settings);
    asked(&proxy, &all);
}

#[test]
fn no_secret_of_an_origin_of_http2_gets_anywhere() {
    let trusted = Trusted::new();
    let mut all = Vec::new();
    for fault in framed::ALL {
        let plain = Failing::new(fault.name.to_owned(), fault.cause, Origin::new(fault.act));
        all.push(plain.having("protocol: h2c"));
        let tls = trusted.tls().speaking(&["h2"]);
        let name = format!("{}-by-tls", fault.name);
        let secured = Failing::new(name, fault.cause, Origin::tls(&tls, fault.act));
        all.push(secured.having(trusted.key()));
    }
    let proxy = before(&all, |settings| settings);
    asked(&proxy, &all);
}

/// An origin whose certificate is for others than `app.test`, or wrong otherwise.
fn showing(name: &str, cause: &'static str, key: &str, identity: Identity) -> Failing {
    let origin = Origin::tls(&Tls::new(identity), Conversation::hold);
    Failing::new(name.to_owned(), cause, origin).having(key)
}

/// One that says this in place of a handshake, or in the midst of it.
fn instead(name: &str, cause: &'static str, key: &str, words: Vec<u8>) -> Failing {
    let origin = Origin::new(move |mut connection| {
        if connection.fill() {
            connection.pour(&words);
            connection.close();
        }
    });
    Failing::new(name.to_owned(), cause, origin).having(key)
}

#[test]
fn no_secret_of_a_handshake_gets_anywhere() {
    let trusted = Trusted::new();
    let (root, key) = (&trusted.root, trusted.key());
    let hidden = secret("certificate");
    let app = || Says::names(&["app.test"]).aside(&hidden);
    let revoked = root.signs(&app());
    let list = root.revokes(&[&revoked]).display().to_string();
    let checked = key.replace(" }", &format!(", crl: \"{list}\" }}"));
    let hello = [&[22, 3, 3, 0, 60, 2, 0, 0, 56][..], hidden.as_bytes(), &[b'x'; 60]].concat();
    let alert = [&[21, 3, 3, 0, 2, 2, 80][..], hidden.as_bytes()].concat();
    let text = format!("220 mail.test\r\n{hidden}\r\n").into_bytes();
    let page = format!("HTTP/1.1 400 No\r\nX: {hidden}\r\n\r\n{hidden}").into_bytes();
    let beneath = Origin::tls(&trusted.tls(), move |mut connection| {
        if connection.request().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
            connection.pour_beneath(secret("beneath").as_bytes());
            connection.hold();
        }
    });
    let all = [
        showing("expired", "tls_certificate_expired", &key, root.signs(&app().expired())),
        showing("early", "tls_certificate_not_yet_valid", &key, root.signs(&app().not_yet_valid())),
        showing(
            "other",
            "tls_certificate_wrong_name",
            &key,
            root.signs(&Says::names(&["other.test"]).aside(&hidden)),
        ),
        showing("own", "tls_certificate_self_signed", &key, Identity::of_its_own(&app())),
        showing(
            "unknown",
            "tls_certificate_untrusted",
            &key,
            Authority::new("another").signs(&app()),
        ),
        showing("revoked", "tls_certificate_revoked", &checked, revoked),
        showing("client", "tls_certificate_invalid", &key, root.signs(&app().of_a_client())),
        showing(
            "demanding",
            "tls_certificate_invalid",
            &key,
            root.signs(&Says::names(&["app.test"]).demanding(&hidden)),
        ),
        instead("hello", "tls_handshake_failed", &key, hello),
        instead("alert", "tls_alert_received", &key, alert),
        instead("text", "tls_peer_not_tls", &key, text),
        instead("page", "tls_peer_not_tls", &key, page),
        Failing::new("beneath".to_owned(), "response_malformed", beneath).having(&key),
    ];
    let proxy = before(&all, |settings| settings);
    asked(&proxy, &all);
}

#[test]
fn no_secret_of_a_name_server_gets_anywhere() {
    let dns = Dns::new();
    dns.set("api.test", Answer::Explained(22, secret("explanation")));
    let closed = Refusing::new();
    let named = |name: &str, cause, endpoint: &str| Failing {
        name: name.to_owned(),
        cause,
        endpoint: endpoint.to_owned(),
        keys: Vec::new(),
        _origin: None,
    };
    let all = [
        named("explained", "dns_error", "api.test:80"),
        named("missing", "dns_name_not_found", "none.test:80"),
        named("refused", "connect_refused", &closed.endpoint),
    ];
    let servers = format!("servers: [ \"{}\" ], timeout: 200ms, attempts: 1", dns.address);
    let proxy = before(&all, |settings| settings.with("resolver", &servers));
    asked(&proxy, &all);
    let told = proxy.get("/explained/");
    assert_eq!(told.value("evidence.info_code"), 22, "{:#}", told.record);
    clean("the answer", &whole(told.answer()));
}
