//! Every cause, produced over real sockets, and what is said about it.
//!
//! Each case is a row: how it is provoked, and who, when, how sure, with which status and which
//! words of RFC 9209. A cause of the catalogue that no case produces fails
//! [`every_cause_is_produced`], unless it waits there with its reason.

mod answer;
mod path;
mod request;

use whodunit_filters::attribution::cause::CATALOGUE;

use crate::rig::promise::{Told, broken_off};

/// What a case expects.
pub(crate) struct Expected {
    pub(crate) cause: &'static str,
    pub(crate) party: &'static str,
    pub(crate) phase: &'static str,
    pub(crate) certainty: &'static str,
    /// How far the request got; where the kernel decides, each of them with a `|` between.
    pub(crate) sent: &'static str,
    pub(crate) outcome: Outcome,
    /// The error type of RFC 9209; empty for none.
    pub(crate) error: &'static str,
    /// Its parameters, and others that must be there; `*` stands for any value.
    pub(crate) params: &'static [(&'static str, &'static str)],
    /// Places under `evidence` in the record that must hold something.
    pub(crate) evidence: &'static [&'static str],
}

/// What becomes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This proxy makes one, with this status.
    Made(u16),
    /// The origin's own answer is passed on.
    Passed(u16),
    /// The answer had begun, with this status, and is broken off.
    BrokenOff(u16),
    /// There is nobody to be answered; it is recorded under this status.
    Logged(u16),
}

/// Declares cases: a test for each, and the list of the causes that they produce.
macro_rules! cases {
    ($($(#[$meta:meta])* $name:ident = $expected:expr, $provoke:expr;)+) => {
        $($(#[$meta])* #[test] fn $name() {
            crate::causes::check(&$expected, &$provoke());
        })+
        /// The causes that the cases of this file produce.
        pub(super) fn produced() -> Vec<&'static str> {
            vec![$($expected.cause,)+]
        }
    };
}
use cases;

pub(crate) fn check(expected: &Expected, told: &Told) {
    let record = &told.record;
    for (field, value) in [
        ("cause", expected.cause),
        ("party", expected.party),
        ("phase", expected.phase),
        ("certainty", expected.certainty),
        ("error", expected.error),
    ] {
        assert_eq!(told.text(field), value, "{field} in {record:#}");
    }
    assert!(expected.sent.split('|').any(|sent| sent == told.text("sent")), "sent in {record:#}");
    for said in ["says", "remedy"] {
        let words = told.text(said);
        assert!(words.len() > 20 && !words.contains("unknown"), "{said}: {words}\n{record:#}");
    }
    for key in expected.evidence {
        assert!(!record["evidence"][key].is_null(), "no {key} in the evidence of {record:#}");
    }
    let status = match expected.outcome {
        Outcome::Made(status) => {
            assert_eq!(record["generated"], true, "{record:#}");
            assert_eq!(told.status(), status, "{record:#}");
            status
        }
        Outcome::Passed(status) => {
            assert_eq!(record["generated"], false, "{record:#}");
            assert_eq!(record["upstream_status"], status, "{record:#}");
            assert!(told.answer().whole(), "{:?}", told.answer());
            status
        }
        Outcome::BrokenOff(status) => {
            assert!(broken_off(told.answer()), "it looks whole: {:?}", told.answer());
            status
        }
        Outcome::Logged(status) => {
            assert!(told.response.is_none(), "{:?}", told.response);
            status
        }
    };
    assert_eq!(record["status"], status, "{record:#}");
    if matches!(expected.outcome, Outcome::Made(_) | Outcome::Passed(_)) {
        told_in_the_header(expected, told);
    } else {
        assert!(expected.params.is_empty(), "there is no header to hold them");
    }
}

fn told_in_the_header(expected: &Expected, told: &Told) {
    let member = told.member.as_ref().expect("an error carries a verdict");
    for name in ["phase", "certainty", "sent"] {
        assert_eq!(member.param(name), Some(told.text(name)), "{name} in {member:?}");
    }
    assert!(member.param("details").is_some_and(|details| !details.is_empty()), "{member:?}");
    for (name, value) in expected.params {
        let found = member.param(name).unwrap_or_else(|| panic!("no {name} in {member:?}"));
        assert!(*value == "*" || found == *value, "{name} is {found}, not {value}");
    }
}

/// The causes that no case here produces, each with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    ("connect_timeout", "needs packets to be lost: tests/apart.rs"),
    ("connect_unroutable", "needs a network without a way: tests/apart.rs"),
    ("proxy_config_invalid", "needs an address that must not be connected to: tests/apart.rs"),
    ("proxy_bug", "needs a panic inside a hook: the example of whodunit-pingora"),
    ("client_plain_http_on_tls_port", "listeners do not speak TLS yet"),
    ("client_tls_failed", "listeners do not speak TLS yet"),
    ("client_slow_reader", "not recorded yet"),
    ("denied_by_policy", "there are no rules of access yet"),
    ("rate_limited", "there are no rates yet"),
    ("upstream_limit_reached", "upstreams have no limit of connections yet"),
    ("proxy_overloaded", "nothing is shed yet"),
    ("address_prohibited", "no addresses are denied yet"),
    ("proxy_ports_exhausted", "not produced yet"),
    ("proxy_files_exhausted", "not produced yet"),
    ("tls_peer_not_tls", "upstreams do not speak TLS yet"),
    ("origin_expects_tls", "upstreams do not speak TLS yet"),
    ("tls_client_certificate_required", "upstreams do not speak TLS yet"),
    ("tls_sni_rejected", "upstreams do not speak TLS yet"),
    ("tls_alert_received", "upstreams do not speak TLS yet"),
    ("tls_handshake_failed", "upstreams do not speak TLS yet"),
    ("tls_closed", "upstreams do not speak TLS yet"),
    ("tls_timeout", "upstreams do not speak TLS yet"),
    ("tls_certificate_expired", "upstreams do not speak TLS yet"),
    ("tls_certificate_not_yet_valid", "upstreams do not speak TLS yet"),
    ("tls_certificate_wrong_name", "upstreams do not speak TLS yet"),
    ("tls_certificate_untrusted", "upstreams do not speak TLS yet"),
    ("tls_certificate_self_signed", "upstreams do not speak TLS yet"),
    ("tls_certificate_revoked", "upstreams do not speak TLS yet"),
    ("tls_certificate_invalid", "upstreams do not speak TLS yet"),
    ("alpn_mismatch", "upstreams do not speak HTTP/2 yet"),
    ("h2_stream_reset", "upstreams do not speak HTTP/2 yet"),
    ("h2_goaway", "upstreams do not speak HTTP/2 yet"),
    ("dns_stale_address", "not produced yet"),
    ("connect_reset", "not produced yet"),
    ("request_write_failed", "not produced yet"),
    ("request_write_timeout", "not produced yet"),
    ("request_black_hole", "needs the kernel's counters, which are not read yet"),
    ("request_unacknowledged", "needs the kernel's counters, which are not read yet"),
    ("origin_early_response", "not produced yet"),
    ("response_bad_content_coding", "nothing is decoded yet"),
    ("response_body_too_large", "not produced yet"),
    ("upgrade_failed", "not produced yet"),
    ("no_healthy_upstream", "there are no health checks yet"),
    ("next_hop_error", "not produced yet"),
];

#[test]
fn every_cause_is_produced() {
    let produced = [request::produced(), path::produced(), answer::produced()].concat();
    for row in CATALOGUE.iter() {
        let here = produced.contains(&row.id);
        let waits = ELSEWHERE.iter().any(|(id, _)| *id == row.id);
        assert!(here || waits, "no case produces `{}`", row.id);
        assert!(
            !(here && waits),
            "`{}` is produced; take it off the list of those that wait",
            row.id
        );
    }
    for id in produced.iter().copied().chain(ELSEWHERE.iter().map(|(id, _)| *id)) {
        assert!(CATALOGUE.iter().any(|row| row.id == id), "the catalogue has no `{id}`");
    }
}
