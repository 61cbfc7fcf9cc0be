//! Routes: where they lead, what they are called, and which of them is tried first.

mod ends;
mod order;
mod rewrites;

use std::collections::{HashMap, HashSet};

use super::{Check, Way, steps};
use crate::schema::route::Route;
use crate::schema::text::Name;
use crate::walk;

pub(super) fn check(check: &mut Check<'_>) -> Vec<Way> {
    let config = check.config;
    let mut ways: Vec<Way> = Vec::new();
    if config.routes.is_empty() {
        implied(check, &mut ways);
    }
    let mut taken = names(check);
    for (index, route) in config.routes.iter().enumerate() {
        let upstream = route.upstream.as_ref().map(Name::as_str);
        let known = upstream.is_none_or(|upstream| config.upstreams.contains_key(upstream));
        if let Some(upstream) = upstream
            && !known
            && check.knows(&steps!["upstreams", upstream])
        {
            unknown(check, index, upstream);
        }
        ends::check(check, index);
        rewrites::check(check, index);
        let name = match &route.name {
            Some(name) => name.as_str().to_owned(),
            None => free(upstream.unwrap_or_else(|| ends::word(route)), &mut taken),
        };
        ways.push(way(check, name, Some((index, route))));
    }
    unused(check, &ways);
    let order = order::of(&config.routes);
    order::shadows(check, &order);
    let mut sorted: Vec<_> = ways.into_iter().map(Some).collect();
    if order.is_empty() {
        return sorted.into_iter().flatten().collect();
    }
    order.iter().filter_map(|index| sorted[*index].take()).collect()
}

/// A route, with what its upstream and then it itself override; without one, that of the single
/// upstream.
fn way(check: &Check<'_>, name: String, route: Option<(usize, &Route)>) -> Way {
    let filters = &check.config.filters;
    let (mut timeouts, mut limits) = (filters.timeouts.in_force(), filters.limits.in_force());
    let upstream = match route {
        Some((_, route)) => route.upstream.as_ref().map(Name::to_string),
        None => Some(name.clone()),
    };
    let place =
        upstream.as_deref().map(|upstream| check.tree.named(&steps!["upstreams", upstream]));
    if let (Some(upstream), Some(place)) = (&upstream, &place)
        && let Some(over) = check.config.upstreams.get(upstream)
    {
        timeouts = timeouts.with(place, &over.timeouts);
        limits = limits.with(place, &over.limits);
    }
    let place = match route {
        Some((index, _)) => check.tree.named(&steps!["routes", index]),
        None => "routes".to_owned(),
    };
    if let Some((_, over)) = route {
        timeouts = timeouts.with(&place, &over.timeouts);
        limits = limits.with(&place, &over.limits);
    }
    let route = Box::new(route.map(|(_, route)| route.clone()).unwrap_or_default());
    Way { name, matches: route.matches.clone(), upstream, route, place, timeouts, limits }
}

/// Without routes, a single upstream takes everything.
fn implied(check: &mut Check<'_>, ways: &mut Vec<Way>) {
    if !check.tree.is_complete(&steps!["routes"]) || !check.tree.is_complete(&steps!["upstreams"]) {
        return;
    }
    let mut upstreams = check.config.upstreams.keys();
    match (upstreams.next(), upstreams.next()) {
        (Some(only), None) => {
            ways.push(way(check, only.clone(), None));
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

fn unused(check: &mut Check<'_>, ways: &[Way]) {
    let config = check.config;
    let undecided = config.routes.iter().any(ends::leads_nowhere);
    if ways.is_empty() || undecided || !check.tree.is_complete(&steps!["routes"]) {
        return;
    }
    for name in config.upstreams.keys() {
        if !ways.iter().any(|way| way.upstream.as_ref() == Some(name)) {
            let says = format!("no route leads to upstream `{name}`");
            let problem = check.warning(&steps!["upstreams", name.as_str()], says);
            check.push(problem);
        }
    }
}
