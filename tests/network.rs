//! Faults of a network, made for real: a firewall in a namespace of the test's own loses, delays
//! and refuses the packets between the proxy and its origin.

mod faults;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::rig::promise::Told;
use crate::rig::there::{There, beside};

/// What is to be said of a fault. Where the kernel or the clock decide, with a `|` between.
pub(crate) struct Verdict {
    /// Empty for a good answer.
    cause: &'static str,
    party: &'static str,
    phase: &'static str,
    certainty: &'static str,
    sent: &'static str,
    /// That the record holds.
    status: u16,
    /// Of RFC 9209.
    error: &'static str,
}

/// Declares faults: a test for each, and the causes that they are to have.
macro_rules! each {
    ($($(#[$meta:meta])* $name:ident = $verdict:expr, $meet:expr;)+) => {
        $($(#[$meta])* #[test] fn $name() {
            crate::network::judge(stringify!($name), &$verdict, $meet);
        })+
        /// Each fault and the cause that it is to have.
        pub(super) fn all() -> Vec<(&'static str, &'static str)> {
            vec![$((stringify!($name), $verdict.cause),)+]
        }
    };
}
use each;

/// The faults that the proxy does not tell as CAUSES has them, each with the reason. One that it
/// learns to tell fails its test until it is taken off.
const UNTOLD: &[(&str, &str)] = &[];

/// The causes that are produced here.
pub(crate) fn produced() -> impl Iterator<Item = &'static str> {
    told().map(|(_, cause)| cause)
}

/// The faults that are told rightly, each with its test and its cause.
pub(crate) fn told() -> impl Iterator<Item = (String, &'static str)> {
    for (name, _) in UNTOLD {
        assert!(faults::all().iter().any(|(fault, _)| fault == name), "there is no `{name}`");
    }
    let told = |(name, cause): &(&str, &str)| {
        !cause.is_empty() && !UNTOLD.iter().any(|(untold, _)| untold == name)
    };
    let faults = faults::all().into_iter().filter(told);
    faults.map(|(name, cause)| (format!("network::faults::{name}"), cause))
}

/// Makes a fault in a network of its own and compares what is said of it.
fn judge(name: &str, verdict: &Verdict, meet: impl FnOnce(&mut There) -> Told) {
    beside(&format!("network::faults::{name}"), |mut there| {
        let complaint = match catch_unwind(AssertUnwindSafe(|| meet(&mut there))) {
            Ok(told) => compare(verdict, &told),
            Err(_) => Some("a promise was broken; it stands above".to_owned()),
        };
        let untold = UNTOLD.iter().any(|(fault, _)| *fault == name);
        match complaint {
            Some(complaint) if !untold => panic!("{complaint}"),
            None if untold => panic!("{name} is told now: take it off the list"),
            _ => {}
        }
    });
}

fn compare(verdict: &Verdict, told: &Told) -> Option<String> {
    let record = &told.record;
    for (field, wanted) in [
        ("cause", verdict.cause),
        ("party", verdict.party),
        ("phase", verdict.phase),
        ("certainty", verdict.certainty),
        ("sent", verdict.sent),
        ("error", verdict.error),
    ] {
        let found = told.text(field);
        // Of a good answer only the status and that nobody is blamed are looked at.
        let any = field != "cause" && verdict.cause.is_empty();
        if !any && !wanted.split('|').any(|wanted| wanted == found) {
            return Some(format!("{field}: `{found}`, not `{wanted}`: {record:#}"));
        }
    }
    (record["status"] != verdict.status)
        .then(|| format!("status: not {}: {record:#}", verdict.status))
}
