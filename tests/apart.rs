//! Failures of the network itself, in a network of their own.

use crate::causes::{Expected, Outcome, check};
use crate::rig::net::{FORBIDDEN, SILENT, UNREACHABLE, apart};
use crate::rig::settings::Settings;

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
            params: &[("next-hop", FORBIDDEN)],
            evidence: &["errno"],
            ..LOST
        };
        check(&expected, &proxy.get("/"));
    });
}
