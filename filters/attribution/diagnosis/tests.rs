//! Judgement on scenes that the rows' own witnesses do not show.

use std::time::Duration;

use super::*;
use crate::attribution::cause::CATALOGUE;
use crate::attribution::evidence::{CertificateFault, Failure, Side};
use crate::attribution::exchange::{Attempt, Connection, NextHop};
use crate::attribution::id::RequestId;

fn attempt(failure: Failure, reused: bool) -> Attempt {
    let mut attempt = Attempt::begin(NextHop::Inet(([192, 0, 2, 1], 8080).into()));
    if failure.phase > Phase::Tls {
        attempt.connection = Some(Connection { reused, ..Connection::default() });
        attempt.sent = Sent::Full;
    }
    attempt.fail(failure);
    attempt
}

fn on_attempts(attempts: Vec<Attempt>) -> Diagnosis {
    let mut exchange = Exchange::begin(RequestId::new());
    for attempt in attempts {
        exchange.attempt(attempt);
    }
    Diagnosis::of(&exchange).expect("the last attempt failed")
}

fn on(failure: Failure) -> Diagnosis {
    on_attempts(vec![attempt(failure, false)])
}

fn origin(phase: Phase, fault: Fault) -> Failure {
    Failure::new(Side::Origin, phase, fault)
}

/// Every fault once; a variant that is missing here does not compile.
fn faults() -> Vec<Fault> {
    let denied = Fault::Denied(&proxy::NO_ROUTE);
    let mut all = vec![denied];
    loop {
        let next = match all[all.len() - 1] {
            Fault::Denied(_) => Fault::NameNotFound,
            Fault::NameNotFound => Fault::NameTimedOut,
            Fault::NameTimedOut => Fault::NameError,
            Fault::NameError => Fault::Refused,
            Fault::Refused => Fault::Unroutable,
            Fault::Unroutable => Fault::PortsExhausted,
            Fault::PortsExhausted => Fault::FilesExhausted,
            Fault::FilesExhausted => Fault::Forbidden,
            Fault::Forbidden => Fault::TimedOut,
            Fault::TimedOut => Fault::Closed,
            Fault::Closed => Fault::Reset,
            Fault::Reset => Fault::TlsAlert(40),
            Fault::TlsAlert(_) => Fault::TlsNotTls,
            Fault::TlsNotTls => Fault::TlsHandshake,
            Fault::TlsHandshake => Fault::Certificate(CertificateFault::Expired),
            Fault::Certificate(_) => Fault::Alpn,
            Fault::Alpn => Fault::Malformed,
            Fault::Malformed => Fault::Framing,
            Fault::Framing => Fault::HeaderTooLarge,
            Fault::HeaderTooLarge => Fault::HeaderLineTooLarge,
            Fault::HeaderLineTooLarge => Fault::TransferCoding,
            Fault::TransferCoding => Fault::ContentCoding,
            Fault::ContentCoding => Fault::BodyTooLarge,
            Fault::BodyTooLarge => Fault::Truncated,
            Fault::Truncated => Fault::Stalled,
            Fault::Stalled => Fault::Deadline,
            Fault::Deadline => Fault::Upgrade,
            Fault::Upgrade => Fault::StreamReset(2),
            Fault::StreamReset(_) => Fault::GoAway(0),
            Fault::GoAway(_) => Fault::Panic,
            Fault::Panic => Fault::Unforeseen,
            Fault::Unforeseen => return all,
        };
        all.push(next);
    }
}

#[test]
fn an_answer_that_had_begun_made_good_what_failed_before_it() {
    for (fault, cause) in [
        (Fault::Stalled, "response_stalled"),
        (Fault::Deadline, "response_deadline"),
        (Fault::Truncated, "response_truncated"),
    ] {
        for before in [Fault::TimedOut, Fault::Refused] {
            let first = attempt(origin(Phase::Connect, before), false);
            let last = attempt(origin(Phase::Receive, fault), false);
            let diagnosis = on_attempts(vec![first, last]);
            assert_eq!((diagnosis.cause.id, diagnosis.attempt), (cause, Some(1)));
        }
    }
}

#[test]
fn every_fault_has_its_row_and_no_side_is_blamed_for_the_other() {
    for fault in faults() {
        let mut named = false;
        for side in Side::ALL {
            for phase in Phase::ALL {
                let verdict = on(Failure::new(*side, *phase, fault));
                named |= verdict.cause != &proxy::PROXY_BUG || fault == Fault::Panic;
                let plain = !matches!(fault, Fault::Denied(_));
                let party = verdict.party;
                let seen = format!("{fault:?} in {phase} on the {side} side: {:?}", verdict.cause);
                if plain && *side == Side::Client {
                    assert!(matches!(party, Party::Client | Party::Proxy), "{seen}");
                }
                if *side == Side::Origin {
                    assert!(party != Party::Client, "{seen}");
                }
                if verdict.cause == &proxy::PROXY_BUG && fault != Fault::Panic {
                    assert_eq!(verdict.certainty, Certainty::Unknown, "{seen}");
                }
            }
        }
        assert!(named || fault == Fault::Unforeseen, "{fault:?} leads nowhere");
    }
}

#[test]
fn every_failure_of_a_running_exchange_is_foreseen() {
    let ordinary = [Fault::TimedOut, Fault::Closed, Fault::Reset];
    let phases = [Phase::Connect, Phase::Tls, Phase::Send, Phase::Wait, Phase::Receive];
    for fault in ordinary {
        for phase in phases {
            let verdict = on(origin(phase, fault));
            assert_ne!(verdict.cause, &proxy::PROXY_BUG, "{fault:?} in {phase}");
        }
        for phase in Phase::ALL {
            let verdict = on(Failure::new(Side::Client, *phase, fault));
            assert_eq!(verdict.party, Party::Client, "{fault:?} in {phase}");
        }
    }
}

#[test]
fn silence_on_connecting_proves_nothing() {
    let silence = || origin(Phase::Connect, Fault::TimedOut).with(Key::LimitMs, 5_000_u64);
    for (failure, id, certainty) in [
        (silence(), "connect_timeout", Certainty::Likely),
        (silence().with(Key::SilentLately, 0_u64), "connect_timeout", Certainty::Likely),
        (
            silence().with(Key::Retransmits, 2_u64).with(Key::SilentLately, 3_u64),
            "connect_timeout",
            Certainty::Proved,
        ),
        (silence().with(Key::AcceptedMeanwhile, 0_u64), "connect_timeout", Certainty::Likely),
        (silence().with(Key::AcceptedMeanwhile, 1_u64), "connect_queue_full", Certainty::Proved),
        (silence().with(Key::LastSuccessMs, 60_000_u64), "connect_queue_full", Certainty::Likely),
        (silence().with(Key::LastSuccessMs, 60_001_u64), "connect_timeout", Certainty::Likely),
    ] {
        let verdict = on(failure.clone());
        assert_eq!((verdict.cause.id, verdict.certainty), (id, certainty), "{failure:?}");
    }
}

#[test]
fn a_stale_address_is_refused_as_502_and_silent_as_504() {
    for (fault, error, status) in
        [(Fault::Refused, "connection_refused", 502), (Fault::TimedOut, "connection_timeout", 504)]
    {
        let verdict = on(origin(Phase::Connect, fault).with(Key::AddressGone, true));
        assert_eq!(verdict.cause.id, "dns_stale_address");
        assert_eq!(verdict.cause.error.map(crate::attribution::ErrorType::as_str), Some(error));
        assert_eq!(verdict.cause.standard.code(), Some(status));
    }
}

#[test]
fn a_race_is_one_only_on_a_kept_connection_at_once_and_without_a_byte() {
    for phase in [Phase::Send, Phase::Wait] {
        for fault in [Fault::Closed, Fault::Reset] {
            let id =
                |failure: Failure, reused| on_attempts(vec![attempt(failure, reused)]).cause.id;
            assert_eq!(id(origin(phase, fault), true), "keepalive_race");
            assert_ne!(id(origin(phase, fault), false), "keepalive_race");
            let late = origin(phase, fault).with(Key::WaitedMs, 5_000_u64);
            assert_ne!(id(late, true), "keepalive_race");
            let begun = origin(phase, fault).with(Key::Received, 1_u64);
            assert_ne!(id(begun, true), "keepalive_race");
        }
    }
}

#[test]
fn an_origin_that_took_the_request_was_not_closing_anyhow() {
    let id = |failure: Failure, idle| {
        let mut attempt = attempt(failure.with(Key::Acknowledged, true), true);
        attempt.connection = Some(Connection { reused: true, idle, ..Connection::default() });
        on_attempts(vec![attempt]).cause.id
    };
    let (busy, rested) = (Duration::from_millis(20), Duration::from_secs(2));
    let failed = |fault| origin(Phase::Wait, fault);
    for idle in [busy, rested] {
        assert_eq!(id(failed(Fault::Closed), idle), "origin_closed");
        let learned = failed(Fault::Closed).with(Key::OriginIdleMs, 2_000_u64);
        assert_eq!(id(learned, idle), "keepalive_race");
        // It was written to a connection that was closed already.
        assert_eq!(id(origin(Phase::Send, Fault::Closed), idle), "keepalive_race");
    }
    assert_eq!(id(failed(Fault::Reset), busy), "origin_reset");
    assert_eq!(id(failed(Fault::Reset), rested), "keepalive_race", "closed with it unread");
}

#[test]
fn the_most_telling_attempt_gives_the_verdict() {
    let refused = || attempt(origin(Phase::Connect, Fault::Refused), false);
    let silent = || attempt(origin(Phase::Connect, Fault::TimedOut), false);
    let reset = || attempt(origin(Phase::Wait, Fault::Reset), false);
    let race = || attempt(origin(Phase::Send, Fault::Closed), true);
    for (attempts, id, n) in [
        (vec![silent(), refused()], "connect_refused", 1),
        (vec![refused(), silent()], "connect_refused", 0),
        (vec![silent(), reset()], "origin_reset", 1),
        (vec![race(), reset()], "origin_reset", 1),
        (vec![race(), silent()], "connect_timeout", 1),
        (vec![silent(), silent()], "connect_timeout", 0),
    ] {
        let verdict = on_attempts(attempts);
        assert_eq!((verdict.cause.id, verdict.attempt), (id, Some(n)));
    }
}

#[test]
fn an_early_answer_is_not_a_failed_upload() {
    let mut exchange = Exchange::begin(RequestId::new());
    exchange.attempt(attempt(origin(Phase::Send, Fault::Reset), false));
    exchange.upstream_status = Some(413);
    let verdict = Diagnosis::of(&exchange).expect("a verdict");
    assert_eq!(verdict.cause.id, "origin_early_response");
    assert!(verdict.passes());
}

#[test]
fn what_no_endpoint_acted_on_may_be_sent_again_whatever_the_method() {
    let refused = |untouched| {
        let failed = attempt(origin(Phase::Wait, Fault::StreamReset(7)), false);
        Attempt { untouched, ..failed }
    };
    assert!(on_attempts(vec![refused(true), refused(true)]).retryable);
    assert!(!on_attempts(vec![refused(false), refused(true)]).retryable);
    assert!(!on(origin(Phase::Wait, Fault::StreamReset(2))).retryable);
}

#[test]
fn an_origin_is_not_believed_when_it_accuses_others() {
    let told = CATALOGUE.iter().find(|row| row.id == "next_hop_error").expect("a row");
    let mut exchange = (told.witness)();
    exchange.trusted_hop = false;
    let verdict = Diagnosis::of(&exchange).expect("a verdict");
    assert_eq!(verdict.cause.id, "origin_error");
    exchange.upstream_status = Some(404);
    assert!(Diagnosis::of(&exchange).is_none());
}

#[test]
fn a_loop_is_told_as_a_way() {
    let looped = crate::attribution::cause::find("loop_detected").expect("a row");
    let verdict = Diagnosis::of(&(looped.witness)()).expect("a verdict");
    assert!(verdict.says.contains("edge-1 -> edge-2 -> edge-1"), "{}", verdict.says);
}

#[test]
fn an_early_4xx_is_an_error_only_where_it_cut_the_request_short() {
    let cause = |status, sent, early| {
        let mut exchange = Exchange::begin(RequestId::new());
        let mut attempt = Attempt::begin(NextHop::Inet(([192, 0, 2, 1], 8080).into()));
        attempt.sent = sent;
        exchange.attempt(attempt);
        exchange.upstream_status = Some(status);
        exchange.early = early;
        Diagnosis::of(&exchange).map(|verdict| verdict.cause.id)
    };
    assert_eq!(cause(413, Sent::Partial, true), Some("origin_early_response"));
    assert_eq!(cause(413, Sent::Full, true), None, "the rest was taken as well");
    assert_eq!(cause(413, Sent::Partial, false), None, "the client had asked first");
    assert_eq!(cause(200, Sent::Partial, true), None);
    assert_eq!(cause(503, Sent::Full, true), Some("origin_early_response"));
    assert_eq!(cause(503, Sent::Partial, false), Some("origin_error"));
}
