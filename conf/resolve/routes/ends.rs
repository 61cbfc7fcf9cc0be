//! Where a route leads: to an upstream, or to an answer of its own.

use std::collections::BTreeSet;

use super::super::{Check, paths, steps};
use crate::schema::route::Route;
use crate::schema::route::matching::FieldTest;

const ENDS: [&str; 3] = ["upstream", "redirect", "respond"];

/// The word for a route that answers by itself.
pub(super) fn word(route: &Route) -> &'static str {
    if route.redirect.is_some() { "redirect" } else { "respond" }
}

/// Whether it is not said where a route leads.
pub(super) fn leads_nowhere(route: &Route) -> bool {
    route.upstream.is_none() && route.redirect.is_none() && route.respond.is_none()
}

pub(super) fn check(check: &mut Check<'_>, index: usize) {
    one_end(check, index);
    matches(check, index);
    answers(check, index);
    twice(check, index);
}

/// One of the three, and what acts on an upstream only where there is one.
fn one_end(check: &mut Check<'_>, index: usize) {
    let route = &check.config.routes[index];
    let given = [route.upstream.is_some(), route.redirect.is_some(), route.respond.is_some()];
    let mut given = ENDS.into_iter().zip(given).filter(|(_, given)| *given).map(|(end, _)| end);
    let Some(first) = given.next() else {
        if ENDS.iter().all(|end| check.knows(&steps!["routes", index, *end])) {
            let place = check.tree.named(&steps!["routes", index]);
            let says = format!("`{place}` leads nowhere");
            let help = "give it an `upstream`, a `redirect` or a `respond`";
            let problem = check.error(&steps!["routes", index], says).help(help);
            check.push(problem);
        }
        return;
    };
    for other in given.collect::<Vec<_>>() {
        let at = check.tree.key(&steps!["routes", index, first]);
        let says = format!("a route has either `{first}` or `{other}`");
        let problem = check
            .error(&steps!["routes", index, other], says)
            .help("remove one, or make two routes of it")
            .other(at, "the other one");
        check.push(problem);
    }
    if route.upstream.is_none() {
        for acts in ["rewrite", "request_headers"] {
            let at = steps!["routes", index, acts];
            if check.tree.holds(&at) {
                let says =
                    format!("`{acts}` changes what goes to an upstream, and nothing does here");
                let problem = check.error(&at, says).help("remove it");
                check.push(problem);
            }
        }
    }
}

fn matches(check: &mut Check<'_>, index: usize) {
    let matches = &check.config.routes[index].matches;
    let tests = [
        ("path", matches.path.is_some()),
        ("path_exact", matches.path_exact.is_some()),
        ("path_regex", matches.path_regex.is_some()),
    ];
    let mut given = tests.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
    if let (Some(first), Some(other)) = (given.next(), given.next()) {
        let at = check.tree.key(&steps!["routes", index, "match", first]);
        let says = format!("a match has either `{first}` or `{other}`");
        let problem = check
            .error(&steps!["routes", index, "match", other], says)
            .help("remove one, or make two routes of it")
            .other(at, "the other one");
        check.push(problem);
    }
    if let Some(prefix) = &matches.path {
        paths::check_prefix(check, &steps!["routes", index, "match", "path"], prefix.as_str());
    }
    if let Some(path) = &matches.path_exact {
        paths::check(check, &steps!["routes", index, "match", "path_exact"], path.as_str());
    }
    if let Some(pattern) = &matches.path_regex {
        paths::check_pattern(check, &steps!["routes", index, "match", "path_regex"], pattern);
    }
    for (name, test) in &matches.headers {
        let at = steps!["routes", index, "match", "headers", name.as_str()];
        let FieldTest::Form(form) = test else { continue };
        let knows = |key: &str| {
            check.knows(&steps!["routes", index, "match", "headers", name.as_str(), key])
        };
        if form.regex.is_some() == form.present.is_some() && knows("regex") && knows("present") {
            let says = format!("the test of `{name}` must be either `regex` or `present`");
            let help = "write a value in quotes, `{ regex: \"…\" }` or `{ present: true }`";
            let problem = check.error(&at, says).help(help);
            check.push(problem);
        }
    }
}

fn answers(check: &mut Check<'_>, index: usize) {
    let route = &check.config.routes[index];
    if let Some(redirect) = &route.redirect
        && ![301, 302, 303, 307, 308].contains(&redirect.status)
    {
        let says = format!("{} is not the status of a redirect", redirect.status);
        let at = steps!["routes", index, "redirect", "status"];
        let help = "302 and 307 are for now, 301 and 308 for ever; 307 and 308 keep the method";
        let problem = check.error(&at, says).help(help);
        check.push(problem);
    }
    if let Some(respond) = &route.respond
        && [204, 205, 304].contains(&respond.status)
        && !respond.body.is_empty()
    {
        let says = format!("an answer with status {} has no body", respond.status);
        let at = steps!["routes", index, "respond", "body"];
        let problem = check.error(&at, says).help("remove it, or use status 200");
        check.push(problem);
    }
}

/// Names of fields are the same in any case.
fn twice(check: &mut Check<'_>, index: usize) {
    let route = &check.config.routes[index];
    let (request, response) = (&route.request_headers, &route.response_headers);
    let names = |section: &'static str, verb: &'static str, names: Vec<String>| {
        let mut seen = BTreeSet::new();
        let again = names.into_iter().filter(move |name| !seen.insert(name.to_ascii_lowercase()));
        again.map(move |name| (section, verb, name)).collect::<Vec<_>>()
    };
    let doubles = [
        names("match", "headers", route.matches.headers.keys().cloned().collect()),
        names("request_headers", "set", request.set.keys().cloned().collect()),
        names("request_headers", "append", request.append.keys().cloned().collect()),
        names("response_headers", "set", response.set.keys().cloned().collect()),
        names("response_headers", "append", response.append.keys().cloned().collect()),
    ];
    for (section, verb, name) in doubles.concat() {
        let at = steps!["routes", index, section, verb, name.as_str()];
        let says = format!("`{name}` is there twice, for names of fields are the same in any case");
        let problem = check.error(&at, says).help("remove one of them");
        check.push(problem);
    }
}
