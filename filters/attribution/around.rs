//! What other requests met with, in words for a person.

use super::evidence::{Evidence, Scope, Value};
use super::exchange::Exchange;
use super::key::{Key, Unit};
use super::ledger::{Finding, LATELY};
use super::record::timestamp;

/// The sentences, none if there is nothing worth saying. `there` says that they are about the
/// endpoint that the verdict has just named, and not about the upstream as a whole.
pub(super) fn sentences(
    exchange: &Exchange,
    there: bool,
    evidence: &Evidence,
) -> impl Iterator<Item = String> {
    let place = match exchange.upstream.as_deref().filter(|_| !there) {
        Some(upstream) => format!("to upstream `{upstream}`"),
        None => "there".to_owned(),
    };
    let usual = evidence.number(Key::UsualWaitMs).map(|wait| {
        let wait = Unit::Millis.words(wait);
        format!(
            "It gave up after as long before ({wait}), which points to a time limit of its own."
        )
    });
    usual.into_iter().chain(scope(exchange, &place, evidence)).chain(check(evidence))
}

fn check(evidence: &Evidence) -> Option<String> {
    let finding: Finding = evidence.text(Key::Check)?.parse().ok()?;
    let ago = Unit::Millis.words(evidence.number(Key::CheckAgeMs)?);
    Some(format!("A check {ago} ago {}.", finding.words()))
}

fn scope(exchange: &Exchange, place: &str, evidence: &Evidence) -> Option<String> {
    let number = |key| evidence.number(key).unwrap_or_default();
    let (failed, answered) = (number(Key::FailedLately), number(Key::AnsweredLately));
    let lately = Unit::Millis.words(LATELY.as_secs() * 1_000);
    match evidence.text(Key::Scope)?.parse().ok()? {
        Scope::First if answered == 0 => None,
        Scope::First => {
            let went = if answered == 1 { "the other one" } else { &format!("{answered} others") };
            Some(format!("No other request {place} failed in the last {lately}; {went} went well."))
        }
        Scope::Some => {
            let all = failed + answered;
            let pattern = match evidence.find(Key::Pattern) {
                Some(pattern @ Value::List(_)) => format!(": {}", pattern.words(Unit::Plain)),
                _ => String::new(),
            };
            Some(format!(
                "In the last {lately}, {failed} of {all} requests {place} failed{pattern}."
            ))
        }
        Scope::All => {
            let since = clock(evidence.text(Key::Since)?, exchange);
            let row = number(Key::FailedInARow);
            let endpoints = endpoints(evidence).unwrap_or_default();
            Some(format!(
                "Every request {place} has failed since {since}, {row} in a row{endpoints}."
            ))
        }
    }
}

/// The other endpoints of the upstream, where there are any.
fn endpoints(evidence: &Evidence) -> Option<String> {
    let total = evidence.number(Key::EndpointsTotal).filter(|total| *total > 1)?;
    let failing = evidence.number(Key::EndpointsFailing).filter(|failing| *failing > 0)?;
    let answering = evidence.number(Key::EndpointsAnswering).unwrap_or_default();
    let verb = |count: u64| if count == 1 { "s" } else { "" };
    Some(if failing >= total {
        format!("; all {total} endpoints fail")
    } else if answering == 0 {
        format!("; {failing} of {total} endpoints fail{}", verb(failing))
    } else {
        let (fail, answer) = (verb(failing), verb(answering));
        format!("; {failing} of {total} endpoints fail{fail}, {answering} answer{answer}")
    })
}

/// The time of day, to the second; with the date if it was not today.
fn clock(since: &str, exchange: &Exchange) -> String {
    let today = timestamp(exchange.began);
    match (since.get(..10), since.get(11..19)) {
        (Some(date), Some(time)) if today.starts_with(date) => format!("{time} UTC"),
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => since.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::attribution::cause;
    use crate::attribution::diagnosis::Diagnosis;

    /// What is said beside the verdict on a refused connection.
    fn said(facts: &[(Key, Value)]) -> String {
        let mut exchange = (cause::path::CONNECT_REFUSED.witness)();
        let alone = Diagnosis::of(&exchange).expect("it failed").says;
        let attempt = exchange.last_attempt_mut().expect("there is one");
        let evidence = &mut attempt.failure.as_mut().expect("it failed").evidence;
        for (key, value) in facts {
            evidence.set(*key, value.clone());
        }
        let told = Diagnosis::of(&exchange).expect("it failed");
        assert_eq!(told.scope.map(Scope::as_str), told.evidence.text(Key::Scope));
        told.says.strip_prefix(&alone).expect("it comes after the verdict").to_owned()
    }

    fn counts(scope: &'static str, failed: u64, answered: u64) -> Vec<(Key, Value)> {
        vec![
            (Key::Scope, scope.into()),
            (Key::FailedLately, failed.into()),
            (Key::AnsweredLately, answered.into()),
        ]
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known() {
        assert_eq!(said(&[]), "");
        assert_eq!(said(&counts("first", 1, 0)), "");
    }

    #[test]
    fn the_first_failure_stands_against_what_went_well() {
        let said = said(&counts("first", 1, 240));
        let expected = " No other request there failed in the last 5 min; 240 others went well.";
        assert_eq!(said, expected);
    }

    #[test]
    fn some_are_counted_and_told_by_what_they_share() {
        let mut facts = counts("some", 3, 57);
        assert_eq!(said(&facts), " In the last 5 min, 3 of 60 requests there failed.");
        let pattern = ["only reused connections", "only requests over 1,400 bytes"];
        facts.push((Key::Pattern, pattern.map(str::to_owned).to_vec().into()));
        let expected = " In the last 5 min, 3 of 60 requests there failed: only reused connections \
                        and only requests over 1,400 bytes.";
        assert_eq!(said(&facts), expected);
    }

    #[test]
    fn all_are_told_since_when_and_beside_which_endpoints() {
        let now = SystemTime::now();
        let since = timestamp(now);
        let mut facts = counts("all", 14, 0);
        facts.push((Key::FailedInARow, 14_u64.into()));
        facts.push((Key::Since, since.clone().into()));
        let start =
            format!(" Every request there has failed since {} UTC, 14 in a row", &since[11..19]);
        assert_eq!(said(&facts), format!("{start}."));
        for (failing, answering, total, told) in [
            (1, 0, 1, ""),
            (1, 4, 5, "; 1 of 5 endpoints fails, 4 answer"),
            (4, 1, 5, "; 4 of 5 endpoints fail, 1 answers"),
            (1, 0, 5, "; 1 of 5 endpoints fails"),
            (5, 0, 5, "; all 5 endpoints fail"),
            (0, 3, 5, ""),
        ] {
            let mut facts = facts.clone();
            facts.push((Key::EndpointsFailing, Value::Number(failing)));
            facts.push((Key::EndpointsAnswering, Value::Number(answering)));
            facts.push((Key::EndpointsTotal, Value::Number(total)));
            assert_eq!(said(&facts), format!("{start}{told}."));
        }
        let before = timestamp(now - Duration::from_hours(72));
        facts.push((Key::Since, before.clone().into()));
        assert!(said(&facts).contains(&before[..10]), "{}", said(&facts));
    }

    #[test]
    fn a_time_limit_of_the_origins_own_is_pointed_to() {
        let said = said(&[(Key::UsualWaitMs, 30_000_u64.into())]);
        let expected =
            " It gave up after as long before (30 s), which points to a time limit of its own.";
        assert_eq!(said, expected);
    }

    #[test]
    fn a_check_is_told_with_its_age() {
        for (check, told) in [
            ("answers", " A check 12 s ago was answered."),
            (
                "tls_certificate_expired",
                " A check 12 s ago failed with `tls_certificate_expired` in phase `tls`.",
            ),
            ("nonsense", ""),
        ] {
            let facts = [(Key::Check, check.into()), (Key::CheckAgeMs, 12_000_u64.into())];
            assert_eq!(said(&facts), told);
        }
    }

    #[test]
    fn without_an_endpoint_the_upstream_is_named() {
        let mut exchange = (cause::path::DNS_TIMEOUT.witness)();
        let failure = exchange.failure_mut().expect("it failed");
        for (key, value) in counts("some", 2, 3) {
            failure.evidence.set(key, value);
        }
        let says = Diagnosis::of(&exchange).expect("it failed").says;
        assert!(says.ends_with("2 of 5 requests to upstream `web` failed."), "{says}");
    }
}
