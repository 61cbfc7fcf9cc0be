//! From host and path to a route: the most specific host wins, then the longest path prefix.

use std::collections::HashMap;

/// Routes by host and path. `T` is what a route leads to.
#[derive(Debug)]
pub struct Routes<T> {
    /// By exact host name.
    exact: HashMap<Box<str>, Paths<T>>,
    /// By what follows the `*.` of a wildcard.
    wildcard: HashMap<Box<str>, Paths<T>>,
    /// For any host.
    any: Paths<T>,
}

/// What leads to a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// A host name, or `*.` and a domain; any host when `None`. Without regard to case.
    pub host: Option<String>,
    /// What the path begins with, byte for byte as it is sent; any path when `None`.
    pub path: Option<String>,
}

/// Path prefixes in order.
#[derive(Debug)]
struct Paths<T>(Vec<(Box<str>, T)>);

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self::new([])
    }
}

impl<T> Routes<T> {
    /// A table of these routes. Of two with the same matcher the first is taken.
    pub fn new(routes: impl IntoIterator<Item = (Matcher, T)>) -> Self {
        let mut table =
            Self { exact: HashMap::new(), wildcard: HashMap::new(), any: Paths::default() };
        for (matcher, target) in routes {
            let host = matcher.host.unwrap_or_default().to_ascii_lowercase();
            let paths = match host.strip_prefix("*.") {
                Some(domain) => table.wildcard.entry(domain.into()).or_default(),
                None if host.is_empty() || host == "*" => &mut table.any,
                None => table.exact.entry(host.into()).or_default(),
            };
            paths.insert(matcher.path.unwrap_or_default().into(), target);
        }
        table
    }

    /// The route for a host, as in the `Host` field, and a path without its query.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&T> {
        let lower;
        let mut host = bare(host);
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            host = &lower;
        }
        let exact = self.exact.get(host).and_then(|paths| paths.find(path));
        exact.or_else(|| self.by_wildcard(host, path)).or_else(|| self.any.find(path))
    }

    /// The longest domain wins.
    fn by_wildcard(&self, host: &str, path: &str) -> Option<&T> {
        if self.wildcard.is_empty() {
            return None;
        }
        let mut rest = host;
        while let Some((_, domain)) = rest.split_once('.') {
            if let Some(found) = self.wildcard.get(domain).and_then(|paths| paths.find(path)) {
                return Some(found);
            }
            rest = domain;
        }
        None
    }
}

impl<T> Paths<T> {
    fn insert(&mut self, prefix: Box<str>, target: T) {
        if let Err(place) = self.0.binary_search_by(|(known, _)| known.cmp(&prefix)) {
            self.0.insert(place, (prefix, target));
        }
    }

    /// The longest prefix of `path`. In sorted order it stands at or before the place of `path`;
    /// if the entry there is no prefix, then only what both begin with can have one.
    fn find(&self, path: &str) -> Option<&T> {
        let mut head = path.as_bytes();
        loop {
            let end = self.0.partition_point(|(prefix, _)| prefix.as_bytes() <= head);
            let (prefix, target) = self.0.get(end.checked_sub(1)?)?;
            let prefix = prefix.as_bytes();
            if head.starts_with(prefix) {
                return Some(target);
            }
            let common = prefix.iter().zip(head).take_while(|(a, b)| a == b).count();
            head = &head[..common];
        }
    }
}

/// A host without its port and without the dot at its end.
fn bare(host: &str) -> &str {
    let end = match host.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    host[..end].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&str, &str)]) -> Routes<String> {
        Routes::new(routes.iter().map(|(host, path)| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            (Matcher { host: some(host), path: some(path) }, format!("{host} {path}"))
        }))
    }

    #[test]
    fn the_most_specific_host_wins_then_the_longest_path() {
        let routes = table(&[
            ("", ""),
            ("", "/static/"),
            ("app.example.net", "/api/"),
            ("app.example.net", "/api/v2/"),
            ("*.example.net", ""),
            ("*.eu.example.net", "/x"),
        ]);
        let found = |host, path| routes.find(host, path).map(String::as_str);
        assert_eq!(found("app.example.net", "/api/v2/users"), Some("app.example.net /api/v2/"));
        assert_eq!(found("app.example.net", "/api/v1"), Some("app.example.net /api/"));
        assert_eq!(found("APP.example.net.:8080", "/api/v1"), Some("app.example.net /api/"));
        assert_eq!(found("app.example.net", "/other"), Some("*.example.net "));
        assert_eq!(found("a.eu.example.net", "/xy"), Some("*.eu.example.net /x"));
        assert_eq!(found("a.eu.example.net", "/y"), Some("*.example.net "));
        assert_eq!(found("A.B.EXAMPLE.NET.", "/"), Some("*.example.net "));
        assert_eq!(found("example.net", "/static/a"), Some(" /static/"));
        assert_eq!(found("aexample.net", "/"), Some(" "));
        assert_eq!(found("[::1]:80", "/a"), Some(" "));
    }

    #[test]
    fn what_matches_nothing_finds_nothing() {
        let routes = table(&[("app.example.net", "/api/")]);
        assert!(routes.find("app.example.net", "/api").is_none());
        assert!(routes.find("other.example.net", "/api/").is_none());
        assert!(routes.find("", "").is_none());
    }

    #[test]
    fn the_search_agrees_with_a_plain_scan() {
        let prefixes = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/b/", "/zz", "/a/bc"];
        let routes = table(&prefixes.map(|prefix| ("", prefix)));
        for path in [
            "/", "/a", "/a/", "/a/b/x", "/a/bb", "/a/bcd", "/abc", "/b", "/b/x", "/z", "/zzz", "x",
            "",
        ] {
            let plain = prefixes.iter().filter(|p| path.starts_with(**p)).max_by_key(|p| p.len());
            assert_eq!(routes.find("h", path).cloned(), plain.map(|p| format!(" {p}")), "{path}");
        }
    }
}
