//! Failures of the network itself, in a network of their own.

use crate::causes::path::moving;
use crate::causes::{Expected, Outcome, check};
use crate::rig::client::Client;
use crate::rig::dns::Answer;
use crate::rig::net::{FORBIDDEN, SILENT, UNREACHABLE, apart};
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;
use crate::rig::{skip, until};

/// The causes that are produced here.
pub(crate) const PRODUCED: &[&str] =
    &["connect_timeout", "connect_unroutable", "proxy_config_invalid", "proxy_ports_exhausted"];

const LOST: Expected = Expected {
    cause: "connect_timeout",
    party: "network",
    phase: "connect",
    certainty: "likely",
    sent: "none",
    outcome: Outcome::Made(504),
    error: "connection_timeout",
    params: &[("next-hop", SILENT)],
    evidence: &["limit_ms", "setting"],
};

#[test]
fn connect_timeout() {
    apart("apart::connect_timeout", || {
        let proxy =
            Settings::endpoints(&[SILENT]).with("timeouts", "connect: 300ms").once().start();
        check(&LOST, &proxy.get("/"));
    });
}

#[test]
fn dns_stale_address_of_a_silent_machine() {
    apart("apart::dns_stale_address_of_a_silent_machine", || {
        let (dns, settings) = moving(SILENT);
        let proxy = settings.with("timeouts", "connect: 300ms").once().start();
        check(&LOST, &proxy.get("/"));
        dns.set("api.test", Answer::Addresses(vec![[127, 0, 0, 1].into()], 300));
        let told = until("the name to be asked for again", || {
            let told = proxy.get("/");
            (told.text("cause") != "connect_timeout").then_some(told)
        });
        let expected = Expected {
            cause: "dns_stale_address",
            party: "proxy",
            certainty: "proved",
            evidence: &["address_gone", "answer_age_ms", "limit_ms", "setting"],
            ..LOST
        };
        check(&expected, &told);
    });
}

#[test]
fn connect_unroutable() {
    apart("apart::connect_unroutable", || {
        let proxy = Settings::endpoints(&[UNREACHABLE]).once().start();
        let expected = Expected {
            cause: "connect_unroutable",
            certainty: "proved",
            outcome: Outcome::Made(502),
            error: "destination_ip_unroutable",
            params: &[("next-hop", UNREACHABLE)],
            evidence: &["errno"],
            ..LOST
        };
        check(&expected, &proxy.get("/"));
    });
}

#[test]
fn proxy_config_invalid() {
    apart("apart::proxy_config_invalid", || {
        let proxy = Settings::endpoints(&[FORBIDDEN]).once().start();
        let expected = Expected {
            cause: "proxy_config_invalid",
            party: "proxy",
            outcome: Outcome::Made(500),
            error: "proxy_configuration_error",
            certainty: "proved",
            params: &[("next-hop", FORBIDDEN)],
            evidence: &["errno", "setting"],
            ..LOST
        };
        check(&expected, &proxy.get("/"));
    });
}

#[test]
fn proxy_ports_exhausted() {
    const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
    apart("apart::proxy_ports_exhausted", || {
        let range = std::fs::read_to_string(RANGE).expect("Linux has it");
        if let Err(error) = std::fs::write(RANGE, &range) {
            return skip("apart::proxy_ports_exhausted", &format!("{RANGE}: {error}"));
        }
        let origin = Origin::answering("HTTP/1.1 204 No Content\r\n\r\n");
        let proxy = Settings::to(&origin).once().start();
        let told = proxy.exchange(|| {
            let mut client = proxy.connect();
            // One port is left, and somebody else has it on the way to the same origin.
            std::fs::write(RANGE, "40000 40000").expect("it could be written just now");
            let _other = Client::connect(origin.endpoint.parse().expect("an address"));
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            let answer = client.receive("GET");
            std::fs::write(RANGE, &range).expect("it could be written just now");
            answer
        });
        let expected = Expected {
            cause: "proxy_ports_exhausted",
            party: "proxy",
            certainty: "proved",
            outcome: Outcome::Made(503),
            error: "proxy_internal_error",
            params: &[("next-hop", "*")],
            evidence: &["errno", "open", "max_count", "port_range", "setting"],
            ..LOST
        };
        check(&expected, &told);
        assert_eq!(told.text("evidence.port_range"), "40000-40000");
        assert_eq!(proxy.get("/").status(), 204, "the shortage is over");
    });
}

/// The kernel has one word for both: no port left, and no address to send from.
#[test]
fn a_machine_without_ipv6_has_ports_enough() {
    const OFF: &str = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
    apart("apart::a_machine_without_ipv6_has_ports_enough", || {
        if let Err(error) = std::fs::write(OFF, "1") {
            return skip(
                "apart::a_machine_without_ipv6_has_ports_enough",
                &format!("{OFF}: {error}"),
            );
        }
        let proxy = Settings::endpoints(&["[fd00::1]:80"]).once().start();
        let expected = Expected {
            cause: "connect_unroutable",
            certainty: "proved",
            outcome: Outcome::Made(502),
            error: "destination_ip_unroutable",
            params: &[("next-hop", "[fd00::1]:80")],
            evidence: &["errno"],
            ..LOST
        };
        check(&expected, &proxy.get("/"));
        let proxy = Settings::endpoints(&["[::1]:80"]).once().start();
        let told = proxy.get("/");
        let expected = Expected { params: &[("next-hop", "[::1]:80")], ..expected };
        check(&expected, &told);
        assert_eq!(told.text("evidence.errno"), "EADDRNOTAVAIL");
    });
}
