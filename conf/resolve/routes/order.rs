//! In which order routes are tried, and which of them are never reached.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::super::{Check, steps};
use crate::problem::{Place, Problem};
use crate::schema::route::Route;
use crate::schema::route::matching::PathTest;
use crate::schema::text::Host;

/// What a route asks of host and path.
type Where<'c> = (Option<&'c str>, PathTest<'c>);

fn place_of(route: &Route) -> Where<'_> {
    (route.matches.host.as_ref().map(Host::as_str), route.matches.path_test())
}

/// The routes in the order in which they are tried, each by its number.
pub(super) fn of(routes: &[Route]) -> Vec<usize> {
    // A pattern's place is that of the first route that has it.
    let mut patterns: HashMap<Where<'_>, usize> = HashMap::new();
    let mut order: Vec<_> = (0..routes.len()).collect();
    order.sort_by_cached_key(|index| {
        let matches = &routes[*index].matches;
        let host = matches.host.as_ref();
        let wide = host.is_none_or(|host| !host.is_exact());
        let (tier, length, group) = match matches.path_test() {
            PathTest::Exact(_) => (0, 0, 0),
            PathTest::Prefix(prefix) => (1, prefix.len(), 0),
            PathTest::Regex(_) => {
                (2, 0, *patterns.entry(place_of(&routes[*index])).or_insert(*index))
            }
            PathTest::Any => (3, 0, 0),
        };
        let host = Reverse(host.map_or(0, |host| host.as_str().len()));
        (wide, host, tier, Reverse(length), group, Reverse(matches.conditions()))
    });
    order
}

/// Of two routes for the same requests, the second would never be taken: the narrowest route wins
/// whatever the order, so that nothing else can hide one.
pub(super) fn shadows(check: &mut Check<'_>, order: &[usize]) {
    let config = check.config;
    let mut seen: HashMap<Where<'_>, Vec<(usize, Place)>> = HashMap::new();
    for &index in order {
        let parts = ["host", "path", "path_exact", "path_regex", "methods", "headers"];
        let knows = |part: &str| {
            let path = steps!["routes", index, "match", part];
            check.knows(&path) && check.tree.is_complete(&path)
        };
        let matching = steps!["routes", index, "match"];
        if !parts.iter().all(|part| knows(part)) {
            continue;
        }
        let at = if check.tree.holds(&matching) {
            check.tree.key(&matching)
        } else {
            check.at(&steps!["routes", index, "upstream"])
        };
        let route = &config.routes[index];
        let before = seen.entry(place_of(route)).or_default();
        let covering =
            before.iter().find(|(other, _)| config.routes[*other].matches.covers(&route.matches));
        if let Some((_, first)) = covering {
            let says = "this route can never be taken: an earlier one takes the same requests";
            let setting = check.tree.named(&steps!["routes", index]);
            let problem = Problem::error(setting, at, says.to_owned());
            check.problems.push(problem.other(first.clone(), "they go here"));
        } else {
            before.push((index, at));
        }
    }
}
