//! From a request to its route: the most specific host wins, then the most specific path, then the
//! route that asks for more.

pub mod lane;
mod paths;
#[cfg(test)]
mod tests;
mod wants;

use std::collections::HashMap;

use http::{HeaderMap, Method};
use regex::Regex;
use whodunit_filters::head::Rule;
use whodunit_filters::path::{self, Readings};

use self::paths::Paths;
pub use self::wants::{FieldTest, Wants};

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

/// What leads to a route: host and path alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// A host name, or `*.` and a domain; any host when `None`. Without regard to case.
    pub host: Option<String>,
    /// What the path begins with; any path when `None`.
    pub path: Option<String>,
}

/// What leads to a route, all of it.
#[derive(Clone, Debug, Default)]
pub struct Takes {
    /// As that of a [`Matcher`].
    pub host: Option<String>,
    /// What it asks of the path.
    pub path: PathTest,
    /// What it asks for beside.
    pub wants: Wants,
}

/// What a route asks of the path, in its [normal form](whodunit_filters::path).
#[derive(Clone, Debug, Default)]
pub enum PathTest {
    /// That it be this.
    Exact(String),
    /// That it begin so.
    Prefix(String),
    /// That a pattern fit somewhere in it.
    Regex(Regex),
    /// Nothing.
    #[default]
    Any,
}

impl From<Matcher> for Takes {
    fn from(matcher: Matcher) -> Self {
        let path = matcher.path.map_or(PathTest::Any, PathTest::Prefix);
        Self { host: matcher.host, path, wants: Wants::default() }
    }
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self::new(std::iter::empty::<(Matcher, T)>())
    }
}

impl<T> Routes<T> {
    /// A table of these routes. Of several for the same host and path those that ask for more come
    /// first, and of equal ones the first.
    pub fn new<M: Into<Takes>>(routes: impl IntoIterator<Item = (M, T)>) -> Self {
        let mut table =
            Self { exact: HashMap::new(), wildcard: HashMap::new(), any: Paths::default() };
        for (matcher, target) in routes {
            let Takes { host, path, wants } = matcher.into();
            let host = host.unwrap_or_default().to_ascii_lowercase();
            let paths = match host.strip_prefix("*.") {
                Some(domain) => table.wildcard.entry(domain.into()).or_default(),
                None if host.is_empty() || host == "*" => &mut table.any,
                None => table.exact.entry(host.into()).or_default(),
            };
            paths.insert(path, wants, target);
        }
        table
    }

    /// The route for a `GET` without header fields: see [`Routes::take`].
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&T> {
        self.take(host, path, &Method::GET, &HeaderMap::new())
    }

    /// The route for a request with this path as it was sent, the query left out: see
    /// [`Routes::take`].
    ///
    /// # Errors
    /// [`Rule::AboveRoot`], and [`Rule::TwoPaths`] where readers of the path would not take the same
    /// route: the rules of one of them could be walked around.
    #[inline]
    pub fn choose(
        &self,
        host: &str,
        path: &str,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Option<&T>, Rule> {
        let take = |path: &str| self.take(host, path, method, headers);
        if path::is_plain(path) {
            return Ok(take(path));
        }
        let mut readings = Readings::of(path);
        let normal = readings.next().expect("the normal form comes first")?;
        let found = take(&normal);
        for reading in readings {
            if take(&reading?).map(std::ptr::from_ref) != found.map(std::ptr::from_ref) {
                return Err(Rule::TwoPaths);
            }
        }
        Ok(found)
    }

    /// The route for a request: its host, as in the `Host` field, its path in normal form without the
    /// query, its method and its header fields.
    #[must_use]
    pub fn take(&self, host: &str, path: &str, method: &Method, headers: &HeaderMap) -> Option<&T> {
        self.first(host, |paths| paths.find(path, |wants| wants.met(method, headers)))
    }

    /// Whether there is a route for this host and this path as it was sent, whatever else it asks for.
    #[must_use]
    pub fn knows(&self, host: &str, path: &str) -> bool {
        let known = |path: &str| self.first(host, |paths| paths.find(path, |_| true)).is_some();
        path::normal(path).is_ok_and(|path| known(&path))
    }

    /// The first that is found, from the most specific host on.
    fn first<'t>(
        &'t self,
        host: &str,
        find: impl Fn(&'t Paths<T>) -> Option<&'t T>,
    ) -> Option<&'t T> {
        let lower;
        let mut host = bare(host);
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            host = &lower;
        }
        let exact = self.exact.get(host).and_then(&find);
        exact.or_else(|| self.by_wildcard(host, &find)).or_else(|| find(&self.any))
    }

    /// The longest domain wins.
    fn by_wildcard<'t>(
        &'t self,
        host: &str,
        find: &impl Fn(&'t Paths<T>) -> Option<&'t T>,
    ) -> Option<&'t T> {
        if self.wildcard.is_empty() {
            return None;
        }
        let mut rest = host;
        while let Some((_, domain)) = rest.split_once('.') {
            if let Some(found) = self.wildcard.get(domain).and_then(find) {
                return Some(found);
            }
            rest = domain;
        }
        None
    }
}

/// A host without its port and without the dot at its end.
pub(crate) fn bare(host: &str) -> &str {
    let end = match host.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    host[..end].trim_end_matches('.')
}
