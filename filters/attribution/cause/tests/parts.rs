//! Rows are passed over together where none of them can be the verdict: that must not be seen.

use proptest::prelude::*;

use super::*;
use crate::attribution::evidence::Value;
use crate::attribution::exchange::Connection;

/// The verdict by asking every row.
fn one_by_one(scene: &Scene<'_>) -> Option<Cause> {
    CATALOGUE.iter().copied().find(|row| (row.when)(scene))
}

fn failure_of(exchange: &Exchange) -> Option<&Failure> {
    exchange.failure().or(exchange.last_attempt().and_then(|a| a.failure.as_deref()))
}

/// A fact that rows look at.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..3_u64).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec!["HTTP/1.1", "TLS alert", "ETIMEDOUT", ""]).prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn the_first_row_is_found_as_if_all_were_asked(
        row in 0..CATALOGUE.len(),
        other in 0..CATALOGUE.len(),
        side in prop::sample::select(Side::ALL),
        phase in prop::sample::select(Phase::ALL),
        facts in prop::collection::vec((prop::sample::select(Key::ALL), any_value()), 0..12),
        status in prop::option::of(prop::sample::select(vec![101_u16, 200, 413, 502])),
        (early, trusted_hop, reused, told) in any::<(bool, bool, bool, bool)>(),
    ) {
        let mut exchange = (CATALOGUE[row].witness)();
        exchange.early = early;
        exchange.trusted_hop = trusted_hop;
        exchange.upstream_status = status.or(exchange.upstream_status);
        if let Some(attempt) = exchange.last_attempt_mut() {
            attempt.connection = Some(Connection { reused, ..Connection::default() });
        }
        let fault = failure_of(&(CATALOGUE[other].witness)()).map_or(Fault::Unforeseen, |f| f.fault);
        let own = failure_of(&exchange).cloned();
        for base in [own.clone(), Some(Failure::new(side, phase, fault))] {
            let with = base.map(|base| facts.iter().fold(base, |f, (key, value)| f.with(*key, value.clone())));
            let failure = with.as_ref().filter(|_| !told);
            let scene = Scene { exchange: &exchange, failure, attempt: exchange.last_attempt() };
            prop_assert_eq!(first(&scene), one_by_one(&scene));
        }
    }
}

#[test]
fn every_side_phase_and_fault_finds_its_row() {
    for row in CATALOGUE.iter() {
        let exchange = (row.witness)();
        let Some(seen) = failure_of(&exchange) else { continue };
        for side in Side::ALL {
            for phase in Phase::ALL {
                let failure = Failure { side: *side, phase: *phase, ..seen.clone() };
                let attempt = exchange.last_attempt();
                let scene = Scene { exchange: &exchange, failure: Some(&failure), attempt };
                assert_eq!(first(&scene), one_by_one(&scene), "{failure:?}");
            }
        }
    }
}
