//! Servers that nobody here wrote, as they misbehave in real life, and what is said of them.

pub(crate) mod grpc;
mod gunicorn;
pub(crate) mod nginx;
mod node;
mod openssl;
mod php;
mod proxied;
pub(crate) mod server;

use crate::rig::promise::{Told, broken_off};
use crate::rig::settings::Settings;
use crate::rig::skip;

/// What is to be said. Where the kernel decides, with a `|` between.
struct Verdict {
    cause: &'static str,
    party: &'static str,
    phase: &'static str,
    status: u16,
}

/// Declares encounters: a test for each, and the list of them. One gives `None` where its server is
/// not installed.
macro_rules! encounters {
    ($($(#[$meta:meta])* $name:ident = $verdict:expr, $meet:expr;)+) => {
        $($(#[$meta])* #[test] fn $name() {
            crate::strangers::judge(stringify!($name), &$verdict, $meet());
        })+
        /// Each encounter and the cause that it is to have.
        pub(super) fn all() -> Vec<(String, &'static str)> {
            let name = |name| format!("{}::{name}", module_path!().trim_start_matches("blackbox::"));
            vec![$((name(stringify!($name)), $verdict.cause),)+]
        }
    };
}
use encounters;

/// Each test here and the cause that it is to have; the first of them where the kernel decides.
pub(crate) fn all() -> Vec<(String, &'static str)> {
    let all = [gunicorn::all(), nginx::all(), node::all(), openssl::all(), php::all()].concat();
    let first = |cause: &'static str| cause.split('|').next().unwrap_or(cause);
    all.into_iter().map(|(test, cause)| (test, first(cause))).collect()
}

fn judge(name: &str, verdict: &Verdict, told: Result<Told, String>) {
    let told = match told {
        Ok(told) => told,
        Err(why) => return skip(name, &why),
    };
    for (field, wanted) in
        [("cause", verdict.cause), ("party", verdict.party), ("phase", verdict.phase)]
    {
        let found = told.text(field);
        assert!(wanted.split('|').any(|w| w == found), "{field}: `{found}` in {:#}", told.record);
    }
    assert_eq!(told.value("status"), verdict.status, "{:#}", told.record);
    if let Some(answer) = &told.response {
        assert!(answer.status >= 500 || broken_off(answer), "{answer:?}");
    }
}

/// A proxy's settings before this endpoint, with no second attempt.
fn before(endpoint: &str) -> Settings {
    Settings::endpoints(&[endpoint]).with("timeouts", "read: 10s").once()
}
