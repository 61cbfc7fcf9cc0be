//! Settings that have no effect where they stand, and lists with something in them that is none.

use std::collections::HashSet;

use super::{Check, steps};
use crate::schema::log::Which;

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    log(check);
    let mut seen = HashSet::new();
    for (index, server) in config.resolver.servers.iter().enumerate() {
        if !seen.insert(server) {
            let says = format!("`{}` is listed twice", server.0);
            let problem = check.error(&steps!["resolver", "servers", index], says);
            check.push(problem);
        }
    }
}

fn log(check: &mut Check<'_>) {
    let log = &check.config.log;
    if log.path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        let says = "`log.path` must name a file".to_owned();
        let problem = check.error(&steps!["log", "path"], says).help("`null` is standard output");
        check.push(problem);
    }
    let idle = [
        ("sample_rate", "which", log.which != Which::Sample, "`which: sample`"),
        ("rotate", "path", log.path.is_none(), "a `path`"),
    ];
    for (key, needed, without, with) in idle {
        let path = steps!["log", key];
        let differs = check.tree.holds(&path) && !is_default(check, key);
        if differs && without && check.knows(&steps!["log", needed]) {
            let says = format!("`log.{key}` has no effect without {with}");
            let problem = check.warning(&path, says);
            check.push(problem);
        }
    }
    for (index, name) in log.redact.0.iter().enumerate() {
        if name.is_empty() {
            let says = "this must be the name of a query parameter".to_owned();
            let problem = check.error(&steps!["log", "redact", index], says);
            check.push(problem);
        }
    }
}

fn is_default(check: &Check<'_>, key: &str) -> bool {
    let (log, plain) = (&check.config.log, crate::schema::log::Log::default());
    match key {
        "rotate" => log.rotate == plain.rotate,
        _ => (log.sample_rate - plain.sample_rate).abs() < f64::EPSILON,
    }
}
