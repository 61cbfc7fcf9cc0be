//! What the upstream is asked for in place of what the client asked for.

use std::borrow::Cow;

use http::HeaderValue;
use http::header::HOST;
use pingora::http::RequestHeader;
use regex::bytes::Regex;
use whodunit_conf::Way;
use whodunit_conf::schema::address::Target;
use whodunit_conf::schema::route::matching::PathTest;
use whodunit_conf::schema::route::rewrite::HostSent;
use whodunit_filters::attribution::cause::proxy::PROXY_CONFIG_INVALID;
use whodunit_filters::attribution::{Failure, Key};
use whodunit_filters::head::Rule;
use whodunit_filters::path::{climbs, is_plain, normal};

use super::text::path;

/// A route's rewrite, ready to be done.
#[derive(Debug)]
pub(super) struct Rewriting {
    path: Option<Path>,
    host: Option<HostSent>,
    setting: String,
}

/// How the path is rewritten.
#[derive(Debug)]
enum Path {
    /// This beginning is replaced.
    Prefix { matched: String, new: Vec<u8> },
    /// What the pattern fits is replaced.
    Pattern { regex: Regex, to: Vec<u8> },
}

impl Rewriting {
    pub(super) fn of(way: &Way) -> Option<Self> {
        let rewrite = &way.route.rewrite;
        let path = match (&rewrite.prefix, &rewrite.to) {
            (Some(new), _) => {
                let matched = match way.matches.path_test() {
                    PathTest::Exact(path) | PathTest::Prefix(path) => path,
                    PathTest::Regex(_) | PathTest::Any => "",
                };
                Some(Path::Prefix { matched: matched.into(), new: new.as_str().into() })
            }
            (None, Some(to)) => {
                let pattern = rewrite.regex.as_ref().or(way.matches.path_regex.as_ref());
                let pattern = pattern.expect("checked with the configuration").as_str();
                let regex = Regex::new(pattern).expect("checked with the configuration");
                Some(Path::Pattern { regex, to: to.as_str().into() })
            }
            (None, None) => None,
        };
        let host = rewrite.host.clone();
        let setting = format!("{}.rewrite", way.place);
        (path.is_some() || host.is_some()).then_some(Self { path, host, setting })
    }

    /// Whether a request can be rewritten so that all who read its new path agree on it.
    ///
    /// # Errors
    /// `client_request_ambiguous`.
    pub(super) fn check(&self, request: &RequestHeader) -> Result<(), Failure> {
        let old = self.path.as_ref().map(|rewriting| rewriting.old(request));
        old.transpose().map(drop).map_err(Rule::broken)
    }

    /// Rewrites a request that goes to this endpoint, which is or is not spoken to by TLS.
    pub(super) fn apply(
        &self,
        request: &mut RequestHeader,
        endpoint: Option<(&Target, bool)>,
    ) -> Result<(), Box<Failure>> {
        let wrong = |rule| {
            let failure = Failure::denied(&PROXY_CONFIG_INVALID).with(Key::Rule, rule);
            Box::new(failure.with(Key::Setting, self.setting.clone()))
        };
        if let Some(target) = self.path.as_ref().and_then(|path| path.target(request)) {
            // The host that a target may hold stands in `Host` as well, whatever the protocol.
            let set = request.set_raw_path(&target);
            set.map_err(|_| wrong("the rewritten path cannot be sent"))?;
        }
        let host = match (&self.host, endpoint) {
            (Some(HostSent::Named(name)), _) => Some(name.clone()),
            (Some(HostSent::Upstream), Some((target, secure))) => Some(name(target, secure)),
            _ => None,
        };
        if let Some(host) = host {
            let host = HeaderValue::try_from(host).ok();
            let set = host.and_then(|host| request.insert_header(HOST, host).ok());
            set.ok_or_else(|| wrong("the host cannot be sent"))?;
        }
        Ok(())
    }
}

impl Path {
    /// The path that is rewritten: its normal form, by which the route was chosen. What follows a
    /// prefix stays as it was sent, unless it leads upwards and so could lead out of the new prefix.
    fn old<'r>(&self, request: &'r RequestHeader) -> Result<Cow<'r, str>, Rule> {
        let sent = std::str::from_utf8(path(request).0).map_err(|_| Rule::Target)?;
        let begins = match self {
            Self::Prefix { matched, .. } => sent.starts_with(matched),
            Self::Pattern { .. } => false,
        };
        if is_plain(sent) || begins && !climbs(sent) {
            return Ok(Cow::Borrowed(sent));
        }
        let old = normal(sent)?;
        if climbs(&old) { Err(Rule::TwoPaths) } else { Ok(old) }
    }

    /// The new target: path and query. `None` where nothing changes.
    fn target(&self, request: &RequestHeader) -> Option<Vec<u8>> {
        let (sent, query) = path(request);
        if !sent.starts_with(b"/") {
            // `OPTIONS *` is about no path.
            return None;
        }
        let old = self.old(request).ok()?;
        let mut new = match self {
            Self::Prefix { matched, new } => {
                joined(new, old.strip_prefix(matched)?.as_bytes(), matched)
            }
            Self::Pattern { regex, to } => regex.replace_all(old.as_bytes(), &to[..]).into_owned(),
        };
        if !new.starts_with(b"/") {
            new.insert(0, b'/');
        }
        if new == old.as_bytes() {
            return None;
        }
        if let Some(query) = query {
            new.push(b'?');
            new.extend_from_slice(query);
        }
        Some(new)
    }
}

/// The new beginning and the rest of the old path, with one slash between them where the old
/// beginning or the rest had one there.
fn joined(new: &[u8], rest: &[u8], matched: &str) -> Vec<u8> {
    let mut path = new.to_vec();
    if path.ends_with(b"/") && rest.starts_with(b"/") {
        path.pop();
    } else if !path.ends_with(b"/")
        && !rest.is_empty()
        && !rest.starts_with(b"/")
        && matched.ends_with('/')
    {
        path.push(b'/');
    }
    path.extend_from_slice(rest);
    path
}

/// An endpoint as a host: its port is left out where it is the scheme's own (RFC 9110 section
/// 7.2).
fn name(target: &Target, secure: bool) -> String {
    let usual = if secure { 443 } else { 80 };
    match target {
        Target::Ip(address) if address.port() == usual => match address.ip() {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        },
        Target::Ip(address) => address.to_string(),
        Target::Name(name, port) => {
            let name = name.trim_end_matches('.');
            if *port == usual { name.to_owned() } else { format!("{name}:{port}") }
        }
        Target::Unix(_) => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &Path, asked: &str) -> Option<String> {
        let request = RequestHeader::build("GET", asked.as_bytes(), None).expect("a request");
        path.target(&request).map(|target| String::from_utf8(target).expect("text"))
    }

    #[test]
    fn a_prefix_is_replaced_with_one_slash_where_they_meet() {
        for (matched, new, asked, sent) in [
            ("/api/", "/", "/api/x?a=1", Some("/x?a=1")),
            ("/api/", "/new", "/api/x", Some("/new/x")),
            ("/api/", "/new", "/api/", Some("/new")),
            ("/api", "/", "/api/x", Some("/x")),
            ("/api", "/", "/api", Some("/")),
            ("/api", "/new", "/api/x", Some("/new/x")),
            ("/api", "/new", "/apix", Some("/newx")),
            ("/api", "/api", "/api/x", None),
            ("", "/app", "/x", Some("/app/x")),
            ("", "/app/", "/?q", Some("/app/?q")),
            ("", "/app", "*", None),
        ] {
            let path = Path::Prefix { matched: matched.into(), new: new.into() };
            assert_eq!(target(&path, asked).as_deref(), sent, "{matched} {new} {asked}");
        }
    }

    #[test]
    fn what_a_pattern_fits_is_replaced() {
        for (regex, to, asked, sent) in [
            ("^/u/([0-9]+)$", "/users/$1", "/u/7?x", Some("/users/7?x")),
            ("^/u/([0-9]+)$", "/users/$1", "/u/a", None),
            ("^/strip", "", "/strip", Some("/")),
            ("^/strip/", "", "/strip/a", Some("/a")),
            ("b", "c", "/abab", Some("/acac")),
            ("(?<last>[^/]+)$", "${last}x", "/a/b", Some("/a/bx")),
        ] {
            let path = Path::Pattern { regex: Regex::new(regex).expect("good"), to: to.into() };
            assert_eq!(target(&path, asked).as_deref(), sent, "{regex} {to} {asked}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_without_the_usual_port() {
        for (endpoint, secure, host) in [
            ("10.0.0.5:80", false, "10.0.0.5"),
            ("10.0.0.5:80", true, "10.0.0.5:80"),
            ("[::1]:443", true, "[::1]"),
            ("[::1]:8080", false, "[::1]:8080"),
            ("app.internal.:443", true, "app.internal"),
            ("app.internal:8080", false, "app.internal:8080"),
            ("unix:/run/app.sock", false, "localhost"),
        ] {
            let target = endpoint.parse().expect("an endpoint");
            assert_eq!(name(&target, secure), host, "{endpoint}");
        }
    }
}
