//! Routes: where they lead, what they are called, and which of them is tried first.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::{Check, Way, steps};
use crate::problem::{Place, Problem};
use crate::schema::route::Route;
use crate::schema::text::{Host, Name};
use crate::walk;

pub(super) fn check(check: &mut Check<'_>) -> Vec<Way> {
    let config = check.config;
    let mut ways: Vec<Way> = Vec::new();
    if config.routes.is_empty() {
        implied(check, &mut ways);
    }
    let mut taken = names(check);
    let mut seen: HashMap<(Option<&str>, &str), Place> = HashMap::new();
    for (index, route) in config.routes.iter().enumerate() {
        let upstream = route.upstream.as_str();
        let known = config.upstreams.contains_key(upstream);
        if !known && check.knows(&steps!["upstreams", upstream]) {
            unknown(check, index, upstream);
        }
        shadowed(check, index, &mut seen);
        let name = match &route.name {
            Some(name) => name.as_str().to_owned(),
            None => free(upstream, &mut taken),
        };
        ways.push(way(check, name, upstream, Some((index, route))));
    }
    unused(check, &ways);
    ways.sort_by_key(|way| Reverse(way.matches.rank()));
    ways
}

/// A route, with what its upstream and then it itself override.
fn way(check: &Check<'_>, name: String, upstream: &str, route: Option<(usize, &Route)>) -> Way {
    let filters = &check.config.filters;
    let (mut timeouts, mut limits) = (filters.timeouts.in_force(), filters.limits.in_force());
    if let Some(over) = check.config.upstreams.get(upstream) {
        let place = check.tree.named(&steps!["upstreams", upstream]);
        timeouts = timeouts.with(&place, &over.timeouts);
        limits = limits.with(&place, &over.limits);
    }
    if let Some((index, over)) = route {
        let place = check.tree.named(&steps!["routes", index]);
        timeouts = timeouts.with(&place, &over.timeouts);
        limits = limits.with(&place, &over.limits);
    }
    let mut access = filters.access.in_force();
    let mut compression = check.config.compression.clone();
    let (mut rates, mut concurrency) = (Vec::new(), None);
    if let Some((index, over)) = route {
        access = access.with(&check.tree.named(&steps!["routes", index]), &over.access);
        rates = super::rates::of(check, index, over);
        let place = check.tree.named(&steps!["routes", index, "concurrency"]);
        compression = over.compression.clone().map_or(compression, |instead| instead.0);
        concurrency = over.concurrency.map(|most| (most, place));
    }
    let matches = route.map(|(_, route)| route.matches.clone()).unwrap_or_default();
    let upstream = upstream.to_owned();
    Way { name, matches, upstream, timeouts, limits, access, rates, concurrency, compression }
}

/// Without routes, a single upstream takes everything.
fn implied(check: &mut Check<'_>, ways: &mut Vec<Way>) {
    if !check.tree.is_complete(&steps!["routes"]) || !check.tree.is_complete(&steps!["upstreams"]) {
        return;
    }
    let mut upstreams = check.config.upstreams.keys();
    match (upstreams.next(), upstreams.next()) {
        (Some(only), None) => {
            ways.push(way(check, only.clone(), only, None));
        }
        (Some(_), Some(_)) => {
            let says = "there are several upstreams, but no route says which requests go where";
            let help = "add `routes:`, such as `- { match: { path: /api/ }, upstream: NAME }`";
            let problem = check.error(&steps!["upstreams"], says.to_owned()).help(help);
            check.push(problem);
        }
        _ => {
            let says = "there is nothing to proxy to: `upstreams` is missing or empty".to_owned();
            let help = "add `upstreams: { web: { endpoints: [ \"10.0.0.5:8080\" ] } }`";
            let problem = check.error(&steps!["upstreams"], says).help(help);
            check.push(problem);
        }
    }
}

/// The names that users gave, none twice.
fn names(check: &mut Check<'_>) -> HashSet<String> {
    let config = check.config;
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (index, route) in config.routes.iter().enumerate() {
        let Some(name) = route.name.as_ref().map(Name::as_str) else { continue };
        if let Some(earlier) = first.get(name) {
            let place = check.at(&steps!["routes", *earlier, "name"]);
            let problem = check
                .error(&steps!["routes", index, "name"], format!("two routes are called `{name}`"))
                .other(place, "the first one");
            check.push(problem);
        } else {
            first.insert(name, index);
        }
    }
    first.into_keys().map(str::to_owned).collect()
}

/// A name that is not taken yet: the upstream's, numbered where needed.
fn free(upstream: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{upstream}-{number}"));
    let mut names = std::iter::once(upstream.to_owned()).chain(numbered);
    let name = names.find(|name| !taken.contains(name)).expect("there are numbers enough");
    taken.insert(name.clone());
    name
}

fn unknown(check: &mut Check<'_>, index: usize, upstream: &str) {
    let known = Vec::from_iter(check.tree.names(&steps!["upstreams"]));
    let says = format!("there is no upstream `{upstream}`");
    let problem = check.error(&steps!["routes", index, "upstream"], says);
    let help = if known.is_empty() {
        format!("add it: `upstreams: {{ {upstream}: {{ endpoints: [ \"10.0.0.5:8080\" ] }} }}`")
    } else {
        walk::suggest::instead(upstream, &known)
    };
    check.push(problem.help(help));
}

/// Of two routes for the same requests, the second would never be taken: the narrowest route wins
/// whatever the order, so that nothing else can hide one.
fn shadowed<'c>(
    check: &mut Check<'c>,
    index: usize,
    seen: &mut HashMap<(Option<&'c str>, &'c str), Place>,
) {
    let [host, path] = ["host", "path"].map(|key| steps!["routes", index, "match", key]);
    if !check.knows(&host) || !check.knows(&path) {
        return;
    }
    let matches = &check.config.routes[index].matches;
    let requests = (matches.host.as_ref().map(Host::as_str), matches.prefix());
    let whole = steps!["routes", index, "match"];
    let at = if check.tree.holds(&whole) {
        check.tree.key(&whole)
    } else {
        check.at(&steps!["routes", index, "upstream"])
    };
    if let Some(first) = seen.get(&requests) {
        let says = "this route can never be taken: an earlier one takes the same requests";
        let setting = check.tree.named(&steps!["routes", index]);
        let problem = Problem::error(setting, at, says.to_owned());
        check.problems.push(problem.other(first.clone(), "they go here"));
    } else {
        seen.insert(requests, at);
    }
}

fn unused(check: &mut Check<'_>, ways: &[Way]) {
    let config = check.config;
    if ways.is_empty() || !check.tree.is_complete(&steps!["routes"]) {
        return;
    }
    for name in config.upstreams.keys() {
        if !ways.iter().any(|way| way.upstream == *name) {
            let says = format!("no route leads to upstream `{name}`");
            let problem = check.warning(&steps!["upstreams", name.as_str()], says);
            check.push(problem);
        }
    }
}
