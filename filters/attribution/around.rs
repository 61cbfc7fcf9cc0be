//! What other requests met with, in words for a person.

use super::evidence::{Evidence, Scope, Value};
use super::exchange::Exchange;
use super::key::{Key, Unit};
use super::ledger::{Finding, LATELY};
use super::record::timestamp;

/// Puts the sentences behind the verdict's, none if there is nothing worth saying. `there` says that
/// they are about the endpoint that the verdict has just named, and not about the upstream as a whole.
pub(super) fn tell(exchange: &Exchange, there: bool, evidence: &Evidence, out: &mut String) {
    if let Some(wait) = evidence.number(Key::UsualWaitMs) {
        out.push_str(" It gave up after as long before (");
        Unit::Millis.tell(wait, out);
        out.push_str("), which points to a time limit of its own.");
    }
    if let Some(Ok(scope)) = evidence.text(Key::Scope).map(str::parse) {
        let upstream = exchange.upstream.as_deref().filter(|_| !there);
        let place = Place { exchange, upstream, evidence };
        place.tell(scope, out);
    }
    if let Some(Value::List(out_of_rotation)) = evidence.find(Key::OutOfRotation) {
        out.extend([" Out of rotation at the time: ", &out_of_rotation.join(", "), "."]);
    }
    if let (Some(Ok(finding)), Some(age)) =
        (evidence.text(Key::Check).map(str::parse::<Finding>), evidence.number(Key::CheckAgeMs))
    {
        out.push_str(" A check ");
        Unit::Millis.tell(age, out);
        out.extend([" ago ", &finding.words(), "."]);
    }
}

/// Where the other requests went, and what they met with.
struct Place<'a> {
    exchange: &'a Exchange,
    /// The upstream, if it is about all of it.
    upstream: Option<&'a str>,
    evidence: &'a Evidence,
}

impl Place<'_> {
    fn number(&self, key: Key) -> u64 {
        self.evidence.number(key).unwrap_or_default()
    }

    fn put(&self, out: &mut String) {
        match self.upstream {
            Some(upstream) => out.extend(["to upstream `", upstream, "`"]),
            None => out.push_str("there"),
        }
    }

    fn tell(&self, scope: Scope, out: &mut String) {
        let (failed, answered) = (self.number(Key::FailedLately), self.number(Key::AnsweredLately));
        let count = |number, out: &mut String| Unit::Plain.tell(number, out);
        let lately = |out: &mut String| Unit::Millis.tell(LATELY.as_secs() * 1_000, out);
        match scope {
            Scope::First if answered == 0 => {}
            Scope::First => {
                out.push_str(" No other request ");
                self.put(out);
                out.push_str(" failed in the last ");
                lately(out);
                out.push_str("; ");
                if answered == 1 {
                    out.push_str("the other one");
                } else {
                    count(answered, out);
                    out.push_str(" others");
                }
                out.push_str(" went well.");
            }
            Scope::Some => {
                out.push_str(" In the last ");
                lately(out);
                out.push_str(", ");
                count(failed, out);
                out.push_str(" of ");
                count(failed + answered, out);
                out.push_str(" requests ");
                self.put(out);
                out.push_str(" failed");
                if let Some(pattern @ Value::List(_)) = self.evidence.find(Key::Pattern) {
                    out.push_str(": ");
                    pattern.tell(Unit::Plain, out);
                }
                out.push('.');
            }
            Scope::All => {
                let Some(since) = self.evidence.text(Key::Since) else { return };
                out.push_str(" Every request ");
                self.put(out);
                out.extend([" has failed since ", &clock(since, self.exchange), ", "]);
                count(self.number(Key::FailedInARow), out);
                out.push_str(" in a row");
                out.push_str(&endpoints(self.evidence).unwrap_or_default());
                out.push('.');
            }
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
    fn endpoints_that_are_out_of_rotation_are_named() {
        let out = ["192.0.2.1:80 (origin_slow)", "192.0.2.2:80 (status 404)"].map(str::to_owned);
        assert_eq!(
            said(&[(Key::OutOfRotation, out.to_vec().into())]),
            " Out of rotation at the time: 192.0.2.1:80 (origin_slow), 192.0.2.2:80 (status 404)."
        );
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
