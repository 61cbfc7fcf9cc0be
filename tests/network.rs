//! Faults of a network, made for real: a firewall in a namespace of the test's own loses, delays
//! and refuses the packets between the proxy and its origin.

mod faults;

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

/// The faults that are told of, each with its test and its cause.
pub(crate) fn told() -> impl Iterator<Item = (String, &'static str)> {
    let blamed = faults::all().into_iter().filter(|(_, cause)| !cause.is_empty());
    blamed.map(|(name, cause)| (format!("network::faults::{name}"), cause))
}

/// The causes that are produced here.
pub(crate) fn produced() -> impl Iterator<Item = &'static str> {
    told().map(|(_, cause)| cause)
}

/// Makes a fault in a network of its own and compares what is said of it.
fn judge(name: &str, verdict: &Verdict, meet: impl FnOnce(&mut There) -> Told) {
    beside(&format!("network::faults::{name}"), |mut there| {
        if let Some(complaint) = compare(verdict, &meet(&mut there)) {
            panic!("{complaint}");
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
