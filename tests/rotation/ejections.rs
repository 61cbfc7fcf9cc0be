//! Failures of requests: which of them count, whom they take out, and for how long.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};

use super::{OFTEN, OK, ailing, apart, attempts, becomes, metric, standing, well};
use crate::rig::dns::{Answer, Dns};
use crate::rig::frames::{Frame, Framed};
use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::settings::Settings;
use crate::rig::until;

const POST: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn five_refusals_in_a_row_take_an_endpoint_out_and_no_client_is_hurt() {
    let (closed, origin) = (Refusing::new(), Origin::answering(OK));
    let proxy = Settings::endpoints(&[&closed.endpoint, &origin.endpoint])
        .knowing(&origin)
        .having("eject: { for: 1h }")
        .start();
    assert_eq!(metric(&proxy, &closed.endpoint), Some(true));
    let mut refused = 0;
    while standing(&proxy, &closed.endpoint)["state"] == "in" {
        let told = proxy.send(POST);
        assert_eq!(told.status(), 200, "{:#}", told.record);
        refused += attempts(&told) - 1;
        assert!(refused <= 5, "it is still in");
    }
    assert_eq!(refused, 5);
    let out = standing(&proxy, &closed.endpoint);
    assert_eq!((&out["state"], &out["cause"]), (&"ejected".into(), &"connect_refused".into()));
    assert!(out["until"].as_str() > out["since"].as_str() && out["since"].is_string(), "{out:#}");
    assert_eq!(metric(&proxy, &closed.endpoint), Some(false));
    let said = format!(
        "endpoint {} of upstream `web` is out of rotation for 1h: 5 requests in a row failed (connect_refused)",
        closed.endpoint
    );
    until("that to be said", || proxy.said().contains(&said).then_some(()));
    for _ in 0..6 {
        let told = proxy.send(POST);
        assert_eq!((told.status(), attempts(&told)), (200, 1), "{:#}", told.record);
    }
    assert!(proxy.log.records().iter().all(|record| record["cause"].is_null()));
}

#[test]
fn who_was_out_comes_back_and_has_to_prove_itself() {
    let (dead, other) = (well(apart(4)), Origin::answering(OK));
    let address = dead.endpoint.clone();
    drop(dead);
    let proxy = Settings::endpoints(&[&address, &other.endpoint])
        .having("eject: { after: 3, for: 20ms }")
        .start();
    let ejected = || proxy.said().matches("requests in a row failed (connect_refused)").count();
    until("it to be ejected three times", || {
        assert_eq!(proxy.get("/").status(), 200);
        (ejected() >= 3).then_some(())
    });
    let refused = proxy
        .log
        .records()
        .iter()
        .flat_map(|record| record["attempts"].as_array().cloned().unwrap_or_default())
        .filter(|attempt| attempt["cause"] == "connect_refused")
        .count();
    assert_eq!(refused, 3 + (ejected() - 1), "later on, the first failure is enough");
    let back = well(address.parse().expect("an address"));
    until("it to be asked again", || {
        let told = proxy.get("/");
        assert_eq!(told.status(), 200);
        (told.text("next_hop") == address && attempts(&told) == 1).then_some(())
    });
    assert!(!back.requests().is_empty());
    let standing = becomes(&proxy, &address, "in");
    assert_eq!(standing["failed_in_a_row"], 0, "{standing:#}");
    assert!(proxy.said().contains("is back in rotation: its time is over"), "{}", proxy.said());
}

/// How many failures an origin has against it that answers a request so and closes.
fn against(settings: &str, answer: &'static str) -> u64 {
    let origin = Origin::new(move |mut connection| {
        if connection.request().is_some() {
            connection.send(answer);
            connection.close();
        }
    });
    let proxy = Settings::endpoints(&[&origin.endpoint])
        .once()
        .having(&format!("eject: {{}}{settings}"))
        .start();
    proxy.get("/");
    standing(&proxy, &origin.endpoint)["failed_in_a_row"].as_u64().expect("a number")
}

#[test]
fn what_an_origin_answers_counts_only_where_it_cannot_serve() {
    for (settings, answer, failed) in [
        ("", "HTTP/1.1 500 Bug\r\nContent-Length: 0\r\n\r\n", 0),
        ("", "HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n", 0),
        ("", "HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", 1),
        ("", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 1),
        ("", "HTTP/1.1 504 Slow\r\nContent-Length: 0\r\n\r\n", 1),
        ("", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 0),
        ("", "HTTP/1.1 431 Large\r\nContent-Length: 0\r\n\r\n", 0),
        ("", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", 1),
        ("", "no HTTP at all\r\n\r\n", 1),
        ("", "", 1),
        (", limits: { response_body: 1 }", OK, 0),
        (
            ", hop: true",
            "HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\
             Proxy-Status: inner; error=connection_refused\r\n\r\n",
            0,
        ),
    ] {
        assert_eq!(against(settings, answer), failed, "{settings} {answer}");
    }
}

#[test]
fn a_client_that_leaves_ejects_nobody() {
    let (asked, waiting) = mpsc::channel();
    let asked = Mutex::new(asked);
    let script = move |mut connection: Conversation| {
        if connection.request().is_some() {
            asked.lock().expect("nobody panicked").send(()).expect("the test waits");
            connection.hold();
        }
    };
    let script = Arc::new(script);
    let holding = || {
        let script = script.clone();
        Origin::new(move |connection| script(connection))
    };
    let (one, other) = (holding(), holding());
    let proxy = Settings::endpoints(&[&one.endpoint, &other.endpoint])
        .having("eject: { after: 1, for: 1h }")
        .start();
    for _ in 0..4 {
        let told = proxy.exchange(|| {
            let mut client = proxy.connect();
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            waiting.recv().expect("the origin is asked");
            client.reset();
            None
        });
        assert_eq!(told.text("cause"), "client_aborted");
    }
    for origin in [&one, &other] {
        let standing = standing(&proxy, &origin.endpoint);
        assert_eq!((&standing["state"], &standing["failed_in_a_row"]), (&"in".into(), &0.into()));
    }
}

#[test]
fn no_more_than_a_part_is_ejected_and_never_the_only_one() {
    let closed = [Refusing::new(), Refusing::new(), Refusing::new(), Refusing::new()];
    let endpoints: Vec<&str> = closed.iter().map(|closed| closed.endpoint.as_str()).collect();
    let proxy = Settings::endpoints(&endpoints)
        .having("eject: { after: 1, for: 1h, max: 50% }")
        .upstream("one", &[&closed[0].endpoint])
        .having("eject: { after: 1, for: 1h, max: 100% }")
        .route("upstream: web")
        .route("match: { path: /one }, upstream: one")
        .start();
    let healthy = |upstream| {
        proxy.metrics().sum("whodunit_upstream_healthy", &[("upstream", upstream)]).round()
    };
    for _ in 0..6 {
        assert_eq!(proxy.get("/").text("cause"), "connect_refused");
    }
    assert_eq!(healthy("web").to_string(), "2");
    let told = proxy.get("/");
    let beside = told.value("evidence.out_of_rotation").as_array().map(Vec::len);
    assert_eq!(beside, Some(2), "{:#}", told.record);
    for _ in 0..3 {
        assert_eq!(proxy.get("/one").text("cause"), "connect_refused");
    }
    assert_eq!(healthy("one").to_string(), "1");
}

#[test]
fn who_is_out_for_failures_comes_back_before_nobody_is_left() {
    // It passes checks and fails requests.
    let failing = Origin::new(|mut connection| {
        while let Some(request) = connection.request() {
            if request.target != "/healthz" {
                return connection.close();
            }
            connection.send(OK);
        }
    });
    let (other, status) = ailing(200);
    let proxy = Settings::endpoints(&[&failing.endpoint, &other.endpoint])
        .having(&format!("eject: {{ after: 1, for: 1h }}, health: {{ path: /healthz, {OFTEN} }}"))
        .start();
    until("the failing one to be ejected", || {
        assert_eq!(proxy.get("/").status(), 200);
        (standing(&proxy, &failing.endpoint)["state"] == "ejected").then_some(())
    });
    status.store(503, Ordering::SeqCst);
    becomes(&proxy, &other.endpoint, "unhealthy");
    let told = proxy.get("/");
    assert_eq!(told.text("cause"), "origin_closed", "{:#}", told.record);
    assert_eq!(told.text("next_hop"), failing.endpoint);
    assert!(proxy.said().contains("is back in rotation: no other one is left"), "{}", proxy.said());
}

#[test]
fn the_word_of_a_proxy_behind_counts_where_its_answer_is_not_taken_as_well() {
    let says = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\
        Proxy-Status: inner; error=connection_refused\r\n\r\n";
    let (one, other) = (Origin::answering(says), Origin::answering(says));
    let proxy = Settings::endpoints(&[&one.endpoint, &other.endpoint])
        .knowing(&one)
        .knowing(&other)
        .having("hop: true, eject: { after: 1, for: 1h }, retries: { on: [ 503 ] }")
        .start();
    let told = proxy.get("/");
    assert_eq!((attempts(&told), told.text("cause")), (2, "next_hop_error"), "{:#}", told.record);
    for origin in [&one, &other] {
        let standing = standing(&proxy, &origin.endpoint);
        assert_eq!((&standing["state"], &standing["failed_in_a_row"]), (&"in".into(), &0.into()));
    }
}

#[test]
fn a_connection_that_ends_in_good_order_ejects_nobody() {
    // Each connection takes one request, and leaves the next one out.
    let origin = || {
        Origin::new(|connection| {
            let Some(mut framed) = Framed::greet(connection) else { return };
            let Some(first) = framed.request() else { return };
            framed.send(&Frame::status(first, 200, true));
            if framed.request().is_some() {
                framed.send(&Frame::goaway(first, 0));
                framed.connection().hold();
            }
        })
    };
    let (one, other) = (origin(), origin());
    let proxy = Settings::endpoints(&[&one.endpoint, &other.endpoint])
        .having("protocol: h2c, eject: { after: 1, for: 1h }")
        .start();
    let told: Vec<_> = (0..6).map(|_| proxy.send(POST)).collect();
    assert!(told.iter().all(|told| told.status() == 200), "{told:#?}");
    assert!(told.iter().any(|told| attempts(told) == 2), "{told:#?}");
    assert!(!proxy.said().contains("is out of rotation"), "{}", proxy.said());
}

#[test]
fn an_address_that_is_named_twice_or_stands_in_reserve_makes_no_pool() {
    let origin = Origin::new(|mut connection| {
        while let Some(request) = connection.request() {
            connection.send(match request.target.as_str() {
                "/busy" => "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
                _ => OK,
            });
        }
    });
    let port = origin.endpoint.rsplit_once(':').expect("a port").1;
    let dns = Dns::new();
    for name in ["one.test", "two.test"] {
        dns.set(name, Answer::Addresses(vec![[127, 0, 0, 1].into()], 300));
    }
    let named = ["one.test", "two.test"].map(|name| format!("{name}:{port}"));
    // The other address of this name is used only where the first one fails.
    let local = [format!("localhost:{port}")];
    for endpoints in [&named[..], &local] {
        let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        let proxy = Settings::endpoints(&endpoints)
            .with("resolver", &format!("servers: [ \"{}\" ], timeout: 5s", dns.address))
            .having("eject: { after: 1, for: 1h, max: 100% }")
            .start();
        for _ in 0..2 {
            assert_eq!(proxy.get("/").status(), 200);
        }
        let shown = standing(&proxy, &origin.endpoint);
        assert_eq!(shown["weight_now"], 1.0, "{shown:#}");
        assert_eq!(proxy.get("/busy").status(), 503);
        let told = proxy.get("/");
        assert_eq!((told.status(), attempts(&told)), (200, 1), "{:#}", told.record);
        assert!(!proxy.said().contains("is out of rotation"), "{}", proxy.said());
    }
}
