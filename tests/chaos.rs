//! A storm: mixed traffic through three endpoints that are killed, paused, slowed and moved to other
//! addresses, while the proxy's certificate is renewed, its configuration reloaded and its binary
//! replaced. No request is lost that a second attempt could save, whatever else fails is told of
//! rightly, no connection is refused, and what the process holds afterwards is what it held before.
//!
//! A short one runs with the other tests; `make chaos` runs the whole.

mod endpoint;
mod held;
mod judge;
mod node;
mod stage;
mod storm;
mod traffic;

use std::io::Write;
use std::time::Duration;

use stage::Stage;
use storm::Storm;

/// Set by the Makefile: how long the storm lasts, in seconds.
const SECONDS: &str = "WHODUNIT_CHAOS_SECONDS";
/// The seed of the order of events and requests, to see one again.
const SEED: &str = "WHODUNIT_CHAOS_SEED";

/// Each kind of event at least once.
#[test]
fn nothing_is_lost_that_could_be_saved_and_the_rest_is_told_rightly() {
    let seconds = asked(SECONDS);
    let seed = asked(SEED).unwrap_or_else(|| u64::from(std::process::id()));
    let storm = seconds.map_or_else(Storm::short, |s| Storm::long(Duration::from_secs(s)));
    say(&format!("{storm}, seed {seed}"));
    let mut stage = Stage::set();
    let before = stage.held();
    let (outcomes, deeds) = stage.weather(&storm, seed);
    let after = stage.held();
    let told = stage.strike();
    let verdict = judge::judge(&outcomes, &deeds, &told);
    say(&verdict.text());
    assert!(verdict.is_right(), "seed {seed}: {}", verdict.complaints());
    assert!(after.is_like(&before), "seed {seed}: held before {before:?}, afterwards {after:?}");
}

/// A number in the environment.
fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// Not by the macro: what that prints is kept from sight while a test runs.
fn say(text: &str) {
    std::io::stderr().write_all(format!("chaos: {text}\n").as_bytes()).ok();
}

/// A stream of numbers that a seed decides (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below this one.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.throw() % end as u64).expect("it is below one")
    }
}
