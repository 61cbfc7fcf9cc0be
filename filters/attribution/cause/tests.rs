//! The table holds what it promises: every row is reached, proved and worded.

mod certainty;
mod parts;
mod told;
mod wording;

use super::*;
use crate::attribution::diagnosis::Diagnosis;
use crate::attribution::evidence::{Certainty, Evidence};

/// The ids are public: a name here may be added to, never taken away.
const IDS: &str = "
    client_request_malformed client_request_ambiguous client_header_too_large client_uri_too_long
    client_body_too_large client_method_refused client_plain_http_on_tls_port client_tls_failed
    client_slow client_aborted client_slow_reader client_proxy_protocol_invalid
    denied_by_policy rate_limited no_route no_endpoints upstream_limit_reached proxy_overloaded
    address_prohibited loop_detected proxy_ports_exhausted proxy_files_exhausted
    proxy_config_invalid proxy_bug tls_peer_not_tls origin_expects_tls
    tls_client_certificate_required tls_sni_rejected
    dns_timeout dns_name_not_found dns_error dns_stale_address connect_refused connect_reset
    connect_unroutable connect_timeout connect_queue_full tls_alert_received tls_handshake_failed
    tls_closed tls_stalled tls_timeout tls_certificate_expired tls_certificate_not_yet_valid
    tls_certificate_wrong_name tls_certificate_untrusted tls_certificate_self_signed
    tls_certificate_revoked tls_certificate_invalid alpn_mismatch
    keepalive_race request_write_failed request_write_timeout request_black_hole
    request_unacknowledged origin_early_response
    origin_closed origin_reset response_black_hole origin_slow response_deadline response_header_too_large
    response_header_line_too_large response_malformed response_framing_conflict
    response_bad_transfer_coding response_bad_content_coding response_body_too_large
    response_truncated response_stalled h2_stream_reset h2_goaway upgrade_failed
    no_healthy_upstream origin_error next_hop_error
    proxy_stopping tunnel_broken maintenance";

fn verdict(exchange: &Exchange) -> Diagnosis {
    Diagnosis::of(exchange).expect("a witness tells of a failure")
}

/// The evidence of a witness's only failure.
fn evidence(exchange: &mut Exchange) -> Option<&mut Evidence> {
    if exchange.failure().is_some() {
        return exchange.failure_mut().map(|failure| &mut failure.evidence);
    }
    let attempt = exchange.last_attempt_mut()?;
    attempt.failure.as_mut().map(|failure| &mut failure.evidence)
}

#[test]
fn the_catalogue_is_complete_and_says_nothing_twice() {
    let mut promised: Vec<&str> = IDS.split_whitespace().collect();
    let mut held: Vec<&str> = CATALOGUE.iter().map(|row| row.id).collect();
    promised.sort_unstable();
    held.sort_unstable();
    assert_eq!(held, promised);
    held.dedup();
    assert_eq!(held.len(), CATALOGUE.len());
}

#[test]
fn statuses_are_those_that_the_rfc_recommends_but_where_we_say_so() {
    for row in CATALOGUE.iter() {
        let deliberate = match row.id {
            "no_route" => Some(404),
            "loop_detected" => Some(508),
            "proxy_ports_exhausted" | "proxy_files_exhausted" | "proxy_stopping" => Some(503),
            _ => None,
        };
        let recommended = row.error.and_then(ErrorType::status);
        if let (Some(code), Some(recommended)) = (row.standard.code(), recommended) {
            assert_eq!(code, deliberate.unwrap_or(recommended), "{row:?}");
        }
        let answered = matches!(row.standard, Status::Code(_) | Status::CodeOrAbort(_));
        assert!(!answered || row.error.is_some(), "{row:?}: an answer of ours names its error");
        assert!(row.standard != Status::Pass || row.error.is_none(), "{row:?}");
    }
}

#[test]
fn a_mistaken_id_is_put_right() {
    assert_eq!(nearest("conection_refused"), Some("connect_refused"));
    assert_eq!(nearest("tls_certifcate_expired"), Some("tls_certificate_expired"));
    assert_eq!(nearest("something else entirely"), None);
    assert_eq!(nearest(""), None);
}
