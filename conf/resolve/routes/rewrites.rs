//! Whether a rewrite fits the match of its route.

use super::super::{Check, paths, steps};
use crate::schema::route::rewrite::Replacement;

pub(super) fn check(check: &mut Check<'_>, index: usize) {
    let route = &check.config.routes[index];
    let (rewrite, matches) = (&route.rewrite, &route.matches);
    let knows = |key: &str| check.knows(&steps!["routes", index, "rewrite", key]);
    let patterns = matches.path_regex.is_some();
    let wrong = match (&rewrite.prefix, &rewrite.regex, &rewrite.to) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Some((
            "prefix",
            "a rewrite has either `prefix`, or `to` with a pattern".to_owned(),
            "remove one of them",
        )),
        (Some(_), None, None) if patterns => Some((
            "prefix",
            "`prefix` replaces what `match.path` fits, and this route matches by a pattern"
                .to_owned(),
            "write `to` instead: what each fit of the pattern becomes",
        )),
        (None, Some(_), None) if knows("to") => Some((
            "regex",
            "it is not said what the fits of this pattern become".to_owned(),
            "add `to`, such as `to: /users/$1`",
        )),
        (None, None, Some(_)) if !patterns && knows("regex") => Some((
            "to",
            "it is not said what this replaces".to_owned(),
            "add `regex`, or match by `path_regex`; `prefix` replaces what `match.path` fits",
        )),
        (None, regex, Some(to)) => regex
            .as_ref()
            .or(matches.path_regex.as_ref())
            .and_then(|pattern| stranger(&pattern.regex(), to))
            .map(|says| ("to", says, "write `${1}x` where a letter follows a group's number")),
        _ => None,
    };
    if let Some(pattern) = &rewrite.regex {
        paths::check_pattern(check, &steps!["routes", index, "rewrite", "regex"], pattern);
    }
    if let Some((key, says, help)) = wrong {
        let problem = check.error(&steps!["routes", index, "rewrite", key], says).help(help);
        check.push(problem);
    }
}

/// A group that the pattern does not have.
fn stranger(regex: &regex::Regex, to: &Replacement) -> Option<String> {
    let known = |group: &str| match group.parse::<usize>() {
        Ok(number) => number < regex.captures_len(),
        Err(_) => regex.capture_names().flatten().any(|name| name == group),
    };
    let group = to.groups().into_iter().find(|group| !known(group))?;
    Some(format!("the pattern has no group `{group}`"))
}
