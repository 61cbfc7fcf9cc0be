//! The faults, each with the firewall that makes it.

use super::{Verdict, each};
use crate::rig::certificates::{Authority, Says};
use crate::rig::net::Full;
use crate::rig::origin::Conversation;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::there::{DISCARDED, NOBODY, NOWHERE, THERE, There};
use crate::rig::tls::Tls;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Of the chain `arriving`: whatever asks for a connection, and whatever carries more than a
/// header of TCP with all of its options.
const SYN: &str = "tcp flags & (syn|ack) == syn";
const DATA: &str = "meta l4proto tcp ip length > 100";
/// Longer than the small requests of these tests, shorter than a segment.
const LARGE: &str = "meta l4proto tcp ip length > 900";

const GOOD: Verdict =
    Verdict { cause: "", party: "", phase: "", certainty: "", sent: "", status: 200, error: "" };

const TIMED_OUT: Verdict = Verdict {
    cause: "connect_timeout",
    party: "network",
    phase: "connect",
    certainty: "proved|likely",
    sent: "none",
    status: 504,
    error: "connection_timeout",
};

const REFUSED: Verdict = Verdict {
    cause: "connect_refused",
    party: "origin",
    certainty: "proved",
    status: 502,
    error: "connection_refused",
    ..TIMED_OUT
};

const UNROUTABLE: Verdict = Verdict {
    cause: "connect_unroutable",
    party: "network",
    error: "destination_ip_unroutable",
    ..REFUSED
};

const UNACKNOWLEDGED: Verdict = Verdict {
    cause: "request_unacknowledged",
    party: "network",
    phase: "wait",
    certainty: "proved",
    sent: "full",
    status: 504,
    error: "connection_read_timeout",
};

const BLACK_HOLE: Verdict = Verdict {
    cause: "request_black_hole",
    phase: "send|wait",
    sent: "full|partial",
    ..UNACKNOWLEDGED
};

const TLS_LOST: Verdict =
    Verdict { cause: "tls_timeout", phase: "tls", certainty: "proved", ..TIMED_OUT };

/// A proxy before this endpoint, with short limits and no second attempt.
fn before(endpoint: &str) -> Settings {
    Settings::endpoints(&[endpoint])
        .with("timeouts", "connect: 700ms, tls: 900ms, read: 900ms, write: 900ms")
        .once()
}

/// The same with time enough for a SYN to be sent again, and again.
fn patient(endpoint: &str) -> Settings {
    Settings::endpoints(&[endpoint]).with("timeouts", "connect: 8s").once()
}

fn serve(mut connection: Conversation) {
    while connection.request().is_some() {
        connection.send(OK);
    }
}

/// Reads what it is sent and says nothing.
fn listen(mut connection: Conversation) {
    while connection.request().is_some() {}
}

/// A GET to a good origin behind a firewall with these rules.
fn behind(there: &mut There, rules: &[&str]) -> Told {
    let endpoint = there.origin(serve);
    for rule in rules {
        there.rule(rule);
    }
    before(&endpoint).start().get("/")
}

/// The same from a proxy that has a connection already.
fn met(proxy: &Proxy) {
    assert_eq!(proxy.get("/").status(), 200);
}

fn post(proxy: &Proxy, bytes: usize) -> Told {
    let head = format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {bytes}\r\n\r\n");
    proxy.send([head.as_bytes(), &vec![b'u'; bytes]].concat())
}

/// A GET while SYNs get lost so often first; how long connecting took must show it.
fn retransmitted(there: &mut There, sets: &[&str], at_least: f64) -> Told {
    let endpoint = there.origin(serve);
    for set in sets {
        there.rule(&format!("arriving {SYN} tcp sport != @{set} add @{set} {{ tcp sport }} drop"));
    }
    let told = patient(&endpoint).start().get("/");
    let took = told.value("times_ms.connect").as_f64();
    assert!(took >= Some(at_least), "it took {took:?} ms: {:#}", told.record);
    told
}

/// A GET to a good origin whose firewall answers a SYN so.
fn answered(there: &mut There, with: &str) -> Told {
    behind(there, &[&format!("arriving {SYN} reject with {with}")])
}

/// A GET to an origin over TLS behind this firewall.
fn over_tls(there: &mut There, lose: impl FnOnce(&There)) -> Told {
    let root = Authority::new("root");
    // So many that the certificate does not fit one packet: the end of the flight does.
    let names: Vec<String> = (0..80).map(|n| format!("name-{n}.of.a.long.list.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["app.test"]).collect();
    let tls = Tls::new(root.signs(&Says::names(&names)));
    let endpoint = there.tls(&tls, serve);
    let proxy = before(&endpoint)
        .having(&format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display()))
        .start();
    lose(there);
    proxy.get("/")
}

each! {
    syn_dropped = TIMED_OUT, |there| behind(there, &[&format!("arriving {SYN} drop")]);
    syn_answer_dropped = TIMED_OUT,
        |there| behind(there, &["leaving tcp flags & (syn|ack) == (syn|ack) drop"]);
    /// The queue of the origin is full, after it took a connection.
    syn_dropped_at_a_full_queue = Verdict {
        cause: "connect_queue_full", party: "origin", ..TIMED_OUT
    }, |there| {
        let mut full = there.within(|| Full::at(THERE));
        let proxy = before(&full.endpoint).start();
        let good = proxy.exchange(|| {
            let mut client = proxy.connect();
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            let mut origin = full.accept();
            let bytes = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            std::io::Write::write_all(&mut origin, bytes).expect("the proxy listens");
            client.receive("GET")
        });
        assert_eq!(good.status(), 204);
        full.fill();
        proxy.get("/")
    };
    syn_delayed_by_a_second = GOOD, |there| retransmitted(there, &["once"], 900.0);
    /// The second is sent again a second after the first, or two seconds, as the kernel is new or
    /// old.
    syn_delayed_by_seconds = GOOD, |there| retransmitted(there, &["once", "twice"], 1900.0);
    /// Nothing in it tells it from an origin's own refusal.
    syn_refused_by_a_firewall = REFUSED, |there| answered(there, "tcp reset");
    port_unreachable = REFUSED, |there| answered(there, "icmp type port-unreachable");
    protocol_unreachable = Verdict {
        cause: "connect_reset", party: "network", certainty: "proved|likely", ..REFUSED
    }, |there| answered(there, "icmp type prot-unreachable");
    host_unreachable = UNROUTABLE, |there| answered(there, "icmp type host-unreachable");
    net_unreachable = UNROUTABLE, |there| answered(there, "icmp type net-unreachable");
    host_prohibited = UNROUTABLE, |there| answered(there, "icmp type host-prohibited");
    net_prohibited = UNROUTABLE, |there| answered(there, "icmp type net-prohibited");
    admin_prohibited = UNROUTABLE, |there| answered(there, "icmp type admin-prohibited");
    /// Nobody on the link answers for the address: the kernel gives up after three seconds.
    host_absent = UNROUTABLE, |_| patient(NOBODY).start().get("/");
    no_route = UNROUTABLE, |_| before(NOWHERE).start().get("/");
    /// A `blackhole` route of this machine's own.
    route_discards = UNROUTABLE, |_| before(DISCARDED).start().get("/");
    name_server_out_of_reach = Verdict {
        cause: "dns_timeout", phase: "dns", certainty: "proved", error: "dns_timeout", ..TIMED_OUT
    }, |there| {
        there.rule("arriving udp dport 53 drop");
        before("api.test:80")
            .with("resolver", "servers: [ \"10.88.0.2:53\" ], timeout: 300ms, attempts: 1")
            .start()
            .get("/")
    };
    everything_lost_after_the_handshake = UNACKNOWLEDGED,
        |there| behind(there, &[&format!("arriving {DATA} drop")]);
    everything_lost_on_a_reused_connection = UNACKNOWLEDGED, |there| {
        let endpoint = there.origin(serve);
        let proxy = before(&endpoint).start();
        met(&proxy);
        there.rule("arriving drop");
        post(&proxy, 2)
    };
    /// The origin has the request; the proxy cannot know.
    acknowledgements_lost = UNACKNOWLEDGED, |there| {
        let endpoint = there.origin(listen);
        there.rule("leaving tcp flags & (syn|fin|rst|psh|ack) == ack drop");
        before(&endpoint).start().get("/")
    };
    large_requests_lost = BLACK_HOLE, |there| {
        let endpoint = there.origin(serve);
        let proxy = before(&endpoint).start();
        there.rule(&format!("arriving {LARGE} drop"));
        met(&proxy);
        post(&proxy, 20_000)
    };
    large_requests_lost_on_connections_of_their_own = BLACK_HOLE, |there| {
        let endpoint = there.origin(|mut connection| {
            if connection.request().is_some() {
                connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                connection.close();
            }
        });
        let proxy = before(&endpoint).start();
        there.rule(&format!("arriving {LARGE} drop"));
        met(&proxy);
        post(&proxy, 20_000)
    };
    /// So large that it does not fit what the sockets hold.
    larger_requests_lost = BLACK_HOLE, |there| {
        let endpoint = there.origin(serve);
        let proxy = before(&endpoint).start();
        there.rule(&format!("arriving {LARGE} drop"));
        met(&proxy);
        let size = 16 << 20;
        proxy.tell(|client| {
            client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {size}\r\n\r\n"));
            client.upload(size);
            client.receive("POST")
        })
    };
    /// The answer's segments are lost but for the last, which is short: the proxy has been sent
    /// something that it cannot put in order. All of them fit what may be under way at first.
    large_answers_lost = Verdict {
        cause: "response_black_hole", certainty: "proved", sent: "acked", ..UNACKNOWLEDGED
    }, |there| {
        let body = "x".repeat(5_000);
        let endpoint = there.origin(move |mut connection| while connection.request().is_some() {
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{body}"));
        });
        There::near_rule(&format!("{LARGE} drop"));
        before(&endpoint).start().get("/")
    };
    /// Only the first of them is lost, and comes in the end: it is the origin that stops there.
    one_segment_of_the_answer_lost_and_sent_again = Verdict {
        cause: "origin_slow", party: "origin", certainty: "proved", sent: "acked", ..UNACKNOWLEDGED
    }, |there| {
        let endpoint = there.origin(|mut connection| {
            connection.request();
            connection.send(format!("HTTP/1.1 200 OK\r\nX-Long: {}", "x".repeat(5_000)));
            connection.hold();
        });
        There::near_rule(&format!("{LARGE} limit rate 1/day burst 1 packets drop"));
        before(&endpoint).start().get("/")
    };
    /// A firewall that has forgotten the connection, or never knew it.
    reset_before_the_answer = Verdict {
        cause: "origin_reset", party: "origin", phase: "send|wait", certainty: "likely",
        sent: "full", status: 502, error: "connection_terminated"
    }, |there| behind(there, &[&format!("arriving {DATA} reject with tcp reset")]);
    reset_in_mid_answer = Verdict {
        cause: "response_truncated", party: "origin", phase: "receive", certainty: "proved|likely",
        sent: "full|acked", status: 200, error: "http_response_incomplete"
    }, |there| {
        let (begun, go_on) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let (ends, waits) = (begun.0, std::sync::Mutex::new(go_on.1));
        let endpoint = there.origin(move |mut connection| {
            connection.request();
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much");
            ends.send(()).expect("the test waits");
            waits.lock().expect("nobody panicked").recv().expect("the test goes on");
            // What acknowledges this is answered by the firewall.
            connection.send(" and a little more");
            connection.hold();
        });
        let proxy = before(&endpoint).start();
        proxy.tell(|client| {
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            begun.1.recv().expect("the origin begins");
            there.rule("arriving meta l4proto tcp reject with tcp reset");
            go_on.0.send(()).expect("the origin waits");
            client.receive("GET")
        })
    };
    tls_hello_lost = TLS_LOST, |there| {
        over_tls(there, |there| there.rule(&format!("arriving {DATA} drop")))
    };
    /// What an MTU that nobody speaks of does: the certificate is the first long flight.
    tls_certificate_lost = TLS_LOST, |there| {
        over_tls(there, |_| There::near_rule(&format!("{LARGE} drop")))
    };
}
