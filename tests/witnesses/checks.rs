//! The look that is had at an endpoint after a request there failed.

use std::sync::{Mutex, mpsc};

use h2::Reason;

use super::{OK, address};
use crate::causes::path::moving;
use crate::rig::certificates::{Authority, Says};
use crate::rig::dns;
use crate::rig::h2::{self as framed, Act, Answer};
use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;
use crate::rig::until;

fn looking(endpoint: &str) -> Proxy {
    looking_by(Settings::endpoints(&[endpoint]))
}

fn looking_by(settings: Settings) -> Proxy {
    settings
        .once()
        .with("diagnosis", "checks: true")
        .with("timeouts", "connect: 500ms, read: 500ms")
        .start()
}

/// Has a request fail and the endpoint looked at; what the next verdict says of that.
fn found(proxy: &Proxy, endpoint: &str) -> (String, String) {
    let before = proxy.get("/");
    assert!(before.value("evidence.check").is_null(), "nobody had looked: {:#}", before.record);
    until("somebody to look", || address(proxy, endpoint)["check"].as_str().map(drop));
    let after = proxy.get("/");
    assert!(after.value("evidence.check_age_ms").is_u64(), "{:#}", after.record);
    assert_eq!(after.text("cause"), before.text("cause"), "a check moves no blame");
    (after.text("evidence.check").to_owned(), after.text("says").to_owned())
}

#[test]
fn a_port_that_still_refuses() {
    let closed = Refusing::new();
    let (check, says) = found(&looking(&closed.endpoint), &closed.endpoint);
    assert_eq!(check, "connect_refused");
    let told = " ago failed with `connect_refused` in phase `connect`.";
    assert!(says.contains(" A check ") && says.ends_with(told), "{says}");
}

/// An origin that closes after every GET, and treats HEAD as `script` says.
fn failing(script: impl Fn(Conversation) + Send + Sync + 'static) -> Origin {
    Origin::new(move |mut connection| match connection.request() {
        Some(request) if request.method == "HEAD" => script(connection),
        Some(_) => connection.close(),
        None => {}
    })
}

#[test]
fn an_origin_that_answers_other_requests() {
    let origin = failing(|mut connection| {
        connection.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        connection.close();
    });
    let proxy = looking(&origin.endpoint);
    let (check, says) = found(&proxy, &origin.endpoint);
    assert_eq!(check, "answers");
    assert!(says.ends_with(" ago was answered."), "{says}");
    for _ in 0..3 {
        proxy.get("/");
    }
    let requests = origin.requests();
    let heads: Vec<_> = requests.iter().filter(|request| request.method == "HEAD").collect();
    let [head] = heads.as_slice() else { panic!("one in 30 s: {requests:#?}") };
    assert_eq!(head.fields.text("host"), Some(origin.endpoint.clone()));
    assert_eq!(head.fields.text("user-agent").as_deref(), Some("whodunit-check"));
}

#[test]
fn origins_that_do_not_answer_the_check_either() {
    for (script, found_so) in [
        ((|connection| connection.close()) as fn(Conversation), "origin_closed"),
        (Conversation::hold, "origin_slow"),
        (
            |mut connection| {
                connection.send("SSH-2.0-OpenSSH_9.6\r\n");
                connection.close();
            },
            "response_malformed",
        ),
    ] {
        let origin = failing(script);
        let (check, _) = found(&looking(&origin.endpoint), &origin.endpoint);
        assert_eq!(check, found_so);
    }
}

fn app() -> Says {
    Says::names(&["app.test"])
}

/// A proxy that trusts this authority, with these other keys of `tls`.
fn trusting(endpoint: &str, root: &Authority, keys: &str) -> Proxy {
    let tls = format!("tls: {{ sni: app.test, ca: \"{}\"{keys} }}", root.file().display());
    looking_by(Settings::endpoints(&[endpoint]).having(&tls))
}

#[test]
fn a_handshake_that_fails_is_the_step_that_is_named() {
    let root = Authority::new("root");
    let revoked = root.signs(&app());
    let list = format!(", crl: \"{}\"", root.revokes(&[&revoked]).display());
    for (tls, keys, cause) in [
        (Tls::new(root.signs(&app().expired())), "", "tls_certificate_expired"),
        (Tls::new(Authority::new("another").signs(&app())), "", "tls_certificate_untrusted"),
        (Tls::new(revoked), list.as_str(), "tls_certificate_revoked"),
        (Tls::new(root.signs(&app())).refusing(80), "", "tls_alert_received"),
    ] {
        let origin = Origin::tls(&tls, Conversation::hold);
        let (check, says) = found(&trusting(&origin.endpoint, &root, keys), &origin.endpoint);
        assert_eq!(check, cause, "{says}");
    }
    let mute = closing();
    let (check, _) = found(&trusting(&mute.endpoint, &root, ""), &mute.endpoint);
    assert_eq!(check, "tls_closed");
}

/// An origin that closes whatever it is told.
fn closing() -> Origin {
    Origin::new(|mut connection| {
        connection.fill();
        connection.close();
    })
}

#[test]
fn a_look_is_secured_as_a_request_is() {
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    let own = clients.signs(&Says::names(&["edge.test"]).of_a_client());
    let (cert, key) = (own.file(), own.key_file());
    let keys = format!(", client_cert: \"{}\", client_key: \"{}\"", cert.display(), key.display());
    for (script, expected) in [
        (
            (|mut connection| {
                connection.send(OK);
                connection.close();
            }) as fn(Conversation),
            "answers",
        ),
        (|connection| connection.close(), "origin_closed"),
        (Conversation::hold, "origin_slow"),
    ] {
        let tls = Tls::new(root.signs(&app())).knowing(&clients);
        let origin = Origin::tls(&tls, move |mut connection| match connection.request() {
            Some(request) if request.method == "HEAD" => script(connection),
            _ => connection.close(),
        });
        let (check, says) = found(&trusting(&origin.endpoint, &root, &keys), &origin.endpoint);
        assert_eq!(check, expected, "{says}");
        let shaken = tls.handshakes();
        assert!(shaken.len() > 2, "one for each request and one for the look: {shaken:?}");
        for shaken in shaken {
            assert_eq!(shaken.name.as_deref(), Some("app.test"));
            assert_eq!(shaken.client, own.chain().first().cloned());
        }
    }
}

#[test]
fn a_look_speaks_http2_where_a_request_does() {
    let root = Authority::new("root");
    for (act, expected) in [
        (Act::Answer(Answer::new(204, "")), "answers"),
        (Act::Reset(Reason::INTERNAL_ERROR), "h2_stream_reset"),
        (Act::Leave, "origin_closed"),
        (Act::Silence, "origin_slow"),
    ] {
        let script = move |request: &crate::rig::message::Request, _| match request.method.as_str()
        {
            "HEAD" => act.clone(),
            _ => Act::Reset(Reason::INTERNAL_ERROR),
        };
        let plain = framed::Origin::plain(script.clone());
        let settings = Settings::endpoints(&[&plain.endpoint]).having("protocol: h2c");
        let (check, says) = found(&looking_by(settings), &plain.endpoint);
        assert_eq!(check, expected, "{says}");
        let tls = Tls::new(root.signs(&app())).speaking(&["h2"]);
        let secured = framed::Origin::tls(&tls, script);
        let proxy = trusting(&secured.endpoint, &root, "");
        let (check, says) = found(&proxy, &secured.endpoint);
        assert_eq!(check, expected, "{says}");
        let heads = |origin: &framed::Origin| {
            let requests = origin.requests().into_iter();
            let mut heads = requests.filter(|request| request.method == "HEAD");
            let head = heads.next().expect("one");
            assert!(heads.next().is_none(), "one in 30 s");
            (head.fields.text("host"), head.fields.text("user-agent"))
        };
        for origin in [&plain, &secured] {
            let agent = Some("whodunit-check".to_owned());
            assert_eq!(heads(origin), (Some(origin.endpoint.clone()), agent));
        }
    }
    let mute = closing();
    let settings = Settings::endpoints(&[&mute.endpoint]).having("protocol: h2c");
    let (check, _) = found(&looking_by(settings), &mute.endpoint);
    assert_eq!(check, "origin_closed");
}

#[test]
fn a_name_that_leads_elsewhere_by_now_is_the_step_that_is_named() {
    let (asked, waiting) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (asked, released) = (Mutex::new(asked), Mutex::new(released));
    let origin = Origin::new(move |mut connection| {
        while let Some(request) = connection.request() {
            if request.target == "/slow" {
                asked.lock().expect("nobody panicked").send(()).expect("the test waits");
                released.lock().expect("nobody panicked").recv().expect("the test goes on");
                return connection.close();
            }
            connection.send(OK);
        }
    });
    let (dns, settings) = moving(&origin.endpoint);
    dns.set("api.test", dns::Answer::Addresses(vec![[127, 0, 0, 1].into()], 1));
    let proxy = looking_by(settings.having("timeouts: { read: 20s }"));
    let mut first = proxy.connect();
    first.send("POST /slow HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n");
    waiting.recv().expect("the origin is asked");
    dns.set("api.test", dns::Answer::Addresses(vec![[127, 0, 0, 2].into()], 300));
    until("the name to be asked for again", || {
        let told = proxy.get("/");
        told.text("next_hop").starts_with("127.0.0.2:").then_some(())
    });
    let told = proxy.exchange(|| {
        release.send(()).expect("the origin waits");
        first.receive("POST")
    });
    assert_eq!(told.text("cause"), "origin_closed", "{:#}", told.record);
    until("somebody to look", || {
        let check = address(&proxy, &origin.endpoint)["check"].clone();
        check.as_str().map(|check| assert_eq!(check, "dns_stale_address"))
    });
}

#[test]
fn nobody_looks_where_that_is_off_or_of_no_use() {
    let origin = failing(Conversation::hold);
    let off = Settings::to(&origin).once().start();
    let error = Origin::answering("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno");
    let told = looking(&error.endpoint);
    for _ in 0..3 {
        assert_eq!(off.get("/").status(), 502);
        assert_eq!(told.get("/").status(), 503, "the origin itself says what is wrong");
    }
    let good = Origin::answering(OK);
    assert_eq!(looking(&good.endpoint).get("/").status(), 200);
    for origin in [origin, error, good] {
        assert!(origin.requests().iter().all(|request| request.method == "GET"));
    }
}
