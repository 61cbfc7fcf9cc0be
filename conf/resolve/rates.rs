//! Rates of routes: where each stands, and those that could never be kept or never matter.

use super::{Check, steps};
use crate::schema::route::Route;
use crate::sections::rate::Rate;
use crate::tree::Step;

/// The longest time that a rate may count over.
const LONGEST: std::time::Duration = std::time::Duration::from_hours(24 * 366);

/// The rates of a route, each with its place.
pub(super) fn of(check: &Check<'_>, index: usize, route: &Route) -> Vec<(Rate, String)> {
    let rates = route.rate.0.iter().enumerate();
    let place = |at| check.tree.named(&path(check, index, at));
    rates.map(|(at, rate)| (rate.clone(), place(at))).collect()
}

/// A rate that is written alone has the place of all.
fn path<'p>(check: &Check<'_>, index: usize, at: usize) -> Vec<Step<'p>> {
    let listed = steps!["routes", index, "rate", at];
    if check.tree.holds(&listed) {
        listed.to_vec()
    } else {
        steps!["routes", index, "rate"].to_vec()
    }
}

pub(super) fn check(check: &mut Check<'_>) {
    let config = check.config;
    for (index, route) in config.routes.iter().enumerate() {
        for (at, rate) in route.rate.0.iter().enumerate() {
            let mut path = path(check, index, at);
            if route.rate.0[..at].contains(rate) {
                let problem = check.error(&path, "this rate is listed twice".to_owned());
                check.push(problem);
            }
            path.push(Step::Key("per"));
            if rate.per.0.is_zero() {
                let says = "0 is no time in which requests could be counted".to_owned();
                let problem = check.error(&path, says).help("remove the key for `1s`");
                check.push(problem);
            } else if rate.per.0 > LONGEST {
                let says = format!("`{}` is longer than a year", rate.per);
                let problem = check.error(&path, says).help("`366d` is the most");
                check.push(problem);
            }
        }
    }
}
