//! The name of the origin, and the way to it.

use rustix::process::{Resource, Rlimit, getrlimit};

use super::Outcome::Made;
use super::{Expected, cases};
use crate::rig::client::Client;
use crate::rig::dns::{Answer, Dns};
use crate::rig::net::{Full, Refusing};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;
use crate::rig::until;

const REFUSED: Expected = Expected {
    cause: "connect_refused",
    party: "origin",
    phase: "connect",
    certainty: "proved",
    sent: "none",
    outcome: Made(502),
    error: "connection_refused",
    params: &[],
    evidence: &[],
};

const UNNAMED: Expected = Expected { phase: "dns", ..REFUSED };

/// A name server that knows a name at the address of this endpoint, and an upstream of that name.
pub(crate) fn moving(endpoint: &str) -> (Dns, Settings) {
    let address: std::net::SocketAddr = endpoint.parse().expect("an address");
    let dns = Dns::new();
    dns.set("api.test", Answer::Addresses(vec![address.ip()], 300));
    let settings = Settings::endpoints(&[&format!("api.test:{}", address.port())]).with(
        "resolver",
        &format!("servers: [ \"{}\" ], timeout: 200ms, attempts: 1", dns.address),
    );
    (dns, settings)
}

/// Asks for a name that the name server answers so.
fn named(answer: Option<Answer>) -> Told {
    let dns = Dns::new();
    if let Some(answer) = answer {
        dns.set("api.test", answer);
    }
    let told = Settings::endpoints(&["api.test:8080"])
        .with("resolver", &format!("servers: [ \"{}\" ], timeout: 200ms, attempts: 1", dns.address))
        .once()
        .start()
        .get("/");
    assert!(dns.asked().iter().any(|name| name == "api.test"), "asked for {:?}", dns.asked());
    assert!(told.value("times_ms.dns").is_number(), "the time it took: {}", told.record);
    told
}

cases! {
    connect_refused = Expected { params: &[("next-hop", "*")], evidence: &["errno"], ..REFUSED }, || {
        let closed = Refusing::new();
        let told = Settings::endpoints(&[&closed.endpoint]).once().start().get("/");
        let member = told.member.as_ref().expect("checked");
        assert_eq!(member.param("next-hop"), Some(closed.endpoint.as_str()));
        assert_eq!(told.text("evidence.errno"), "ECONNREFUSED");
        told
    };
    connect_to_an_absent_socket = Expected { params: &[("next-hop", "*")], evidence: &["errno"], ..REFUSED }, || {
        let folder = tempfile::tempdir().expect("a folder");
        let endpoint = format!("unix:{}", folder.path().join("absent.sock").display());
        Settings::endpoints(&[&endpoint]).once().start().get("/")
    };
    connect_queue_full = Expected {
        cause: "connect_queue_full",
        outcome: Made(504),
        certainty: "likely",
        error: "connection_timeout",
        evidence: &["limit_ms", "last_success_ms"],
        ..REFUSED
    }, || {
        let mut full = Full::new();
        let proxy = Settings::endpoints(&[&full.endpoint])
            .with("timeouts", "connect: 300ms")
            .once()
            .start();
        // A first request gets through, which tells a full queue from a host that is not there.
        let good = proxy.exchange(|| {
            let mut client = proxy.connect();
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            let mut origin = full.accept();
            std::io::Write::write_all(&mut origin, b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                .expect("the proxy listens");
            client.receive("GET")
        });
        assert_eq!(good.status(), 204);
        full.fill();
        proxy.get("/")
    };
    proxy_files_exhausted = Expected {
        cause: "proxy_files_exhausted",
        party: "proxy",
        outcome: Made(503),
        error: "proxy_internal_error",
        params: &[("next-hop", "*")],
        evidence: &["errno", "open", "max_count", "setting"],
        ..REFUSED
    }, || {
        let origin = Origin::answering("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        let proxy = Settings::to(&origin).once().start();
        let pid = rustix::process::Pid::from_raw(proxy.id().cast_signed());
        let limit = |limit| rustix::process::prlimit(pid, Resource::Nofile, limit).expect("it is ours");
        let ask = |client: &mut Client| {
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            client.receive("GET")
        };
        let mut client = proxy.connect();
        assert_eq!(proxy.exchange(|| ask(&mut client)).status(), 204);
        let told = proxy.exchange(|| {
            // The first three are always open, so there is no number left for another one.
            let before = limit(Rlimit { current: Some(3), maximum: getrlimit(Resource::Nofile).maximum });
            let answer = ask(&mut client);
            limit(before);
            answer
        });
        assert_eq!(told.value("evidence.max_count"), 3);
        assert_eq!(told.text("evidence.setting"), "RLIMIT_NOFILE");
        assert!(told.value("evidence.open").as_u64() > Some(3), "{:#}", told.record);
        let mut again = proxy.connect();
        assert_eq!(proxy.exchange(|| ask(&mut again)).status(), 204, "the shortage is over");
        told
    };
    dns_stale_address = Expected {
        cause: "dns_stale_address",
        party: "proxy",
        params: &[("next-hop", "*")],
        evidence: &["errno", "answer_age_ms", "address_gone", "setting"],
        ..REFUSED
    }, || {
        let closed = Refusing::new();
        let (dns, settings) = moving(&closed.endpoint);
        let proxy = settings.once().start();
        assert_eq!(proxy.get("/").text("cause"), "connect_refused");
        dns.set("api.test", Answer::Addresses(vec![[127, 0, 0, 3].into()], 300));
        // What was learned within the last second is not asked for again.
        until("the name to be asked for again", || {
            let told = proxy.get("/");
            (told.text("cause") != "connect_refused").then_some(told)
        })
    };
    dns_name_not_found = Expected {
        cause: "dns_name_not_found",
        error: "dns_error",
        params: &[("rcode", "NXDOMAIN")],
        evidence: &["name", "rcode"],
        ..UNNAMED
    }, || named(None);
    dns_error = Expected {
        cause: "dns_error",
        party: "network",
        error: "dns_error",
        params: &[("rcode", "SERVFAIL")],
        evidence: &["name", "rcode"],
        ..UNNAMED
    }, || named(Some(Answer::Rcode(2)));
    dns_refused = Expected {
        cause: "dns_error",
        party: "network",
        error: "dns_error",
        params: &[("rcode", "REFUSED")],
        evidence: &["name", "rcode"],
        ..UNNAMED
    }, || named(Some(Answer::Rcode(5)));
    dns_no_address = Expected {
        cause: "dns_error",
        party: "network",
        error: "dns_error",
        evidence: &["name"],
        ..UNNAMED
    }, || named(Some(Answer::Empty));
    dns_timeout = Expected {
        cause: "dns_timeout",
        party: "network",
        outcome: Made(504),
        error: "dns_timeout",
        evidence: &["name", "resolver", "waited_ms"],
        ..UNNAMED
    }, || named(Some(Answer::Silence));
    loop_detected = Expected {
        cause: "loop_detected",
        party: "proxy",
        phase: "route",
        outcome: Made(508),
        error: "proxy_loop_detected",
        evidence: &["trace", "hops"],
        ..REFUSED
    }, || {
        // What the proxy sent on once comes back to it, trace and all.
        let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let proxy = Settings::to(&origin).start();
        assert_eq!(proxy.get("/").status(), 200);
        let trace = origin.requests()[0].fields.text("cdn-loop").expect("it leaves a trace");
        proxy.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\nCDN-Loop: {trace}\r\n\r\n"))
    };
}
