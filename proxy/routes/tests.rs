mod readers;

use proptest::prelude::*;

use http::HeaderName;

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

/// A route as plainly as can be.
#[derive(Clone, Debug)]
struct Plain {
    host: &'static str,
    path: (Kind, &'static str),
    methods: Vec<&'static str>,
    fields: Vec<(&'static str, Option<&'static str>)>,
}

/// In the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Exact,
    Prefix,
    Regex,
    Any,
}

impl Plain {
    fn takes(&self) -> Takes {
        let path = match self.path {
            (Kind::Exact, path) => PathTest::Exact(path.to_owned()),
            (Kind::Prefix, path) => PathTest::Prefix(path.to_owned()),
            (Kind::Regex, path) => PathTest::Regex(Regex::new(path).expect("a pattern")),
            (Kind::Any, _) => PathTest::Any,
        };
        let test = |value: Option<&str>| {
            value.map_or(FieldTest::Present(true), |value| FieldTest::Is(value.to_owned()))
        };
        let fields =
            self.fields.iter().map(|(name, value)| (HeaderName::from_static(name), test(*value)));
        let methods = self.methods.iter().map(|method| method.parse().expect("a method"));
        let wants = Wants { methods: methods.collect(), fields: fields.collect() };
        Takes { host: Some(self.host.to_owned()), path, wants }
    }

    fn fits(&self, host: &str, path: &str, method: &str, fields: &[(&str, &str)]) -> bool {
        let host = match self.host.strip_prefix('*') {
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => self.host.is_empty() || self.host == host,
        };
        let path = match self.path {
            (Kind::Exact, exact) => path == exact,
            (Kind::Prefix, prefix) => path.starts_with(prefix),
            (Kind::Regex, regex) => Regex::new(regex).expect("a pattern").is_match(path),
            (Kind::Any, _) => true,
        };
        let get = method == "HEAD" && self.methods.contains(&"GET");
        let methods = self.methods.is_empty() || self.methods.contains(&method) || get;
        let held = |(name, value): &(&str, Option<&str>)| {
            fields.iter().any(|(other, held)| other == name && value.is_none_or(|v| v == *held))
        };
        host && path && methods && self.fields.iter().all(held)
    }

    fn asks(&self) -> usize {
        usize::from(!self.methods.is_empty()) + self.fields.len()
    }
}

/// The documented precedence: the first of the routes that fit, in this order.
fn by_the_book(routes: &[Plain], fits: impl Fn(&Plain) -> bool) -> Option<&Plain> {
    let first = |route: &Plain| {
        let same = |other: &Plain| other.host == route.host && other.path == route.path;
        routes.iter().position(same).expect("it is one of them")
    };
    let fitting = routes.iter().filter(|route| fits(route));
    // `min_by_key` takes the first of equal ones: the order of the file.
    fitting.min_by_key(|route| {
        let wide = route.host.starts_with('*') || route.host.is_empty();
        let (kind, path) = route.path;
        let prefix = if kind == Kind::Prefix { path.len() } else { 0 };
        let pattern = if kind == Kind::Regex { first(route) } else { 0 };
        let host = usize::MAX - route.host.len();
        (wide, host, kind, usize::MAX - prefix, pattern, usize::MAX - route.asks())
    })
}

const HOSTS: [&str; 6] = ["a.x.net", "b.a.x.net", "x.net", "*.x.net", "*.a.x.net", ""];
const PATHS: [&str; 9] = ["/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b", "/b/c", "/", "/c"];
const REGEXES: [&str; 4] = ["^/a", "b$", "/[bc]", "^/b/c$"];
const METHODS: [&str; 3] = ["GET", "HEAD", "PUT"];
const FIELDS: [(&str, Option<&str>); 4] =
    [("x-a", None), ("x-a", Some("1")), ("x-b", Some("1")), ("x-b", Some("2"))];

fn path() -> impl Strategy<Value = (Kind, &'static str)> {
    let prefixes: Vec<_> = PATHS.into_iter().filter(|path| *path != "/").collect();
    prop_oneof![
        prop::sample::select(&PATHS[..]).prop_map(|path| (Kind::Exact, path)),
        prop::sample::select(prefixes).prop_map(|path| (Kind::Prefix, path)),
        prop::sample::select(&REGEXES[..]).prop_map(|path| (Kind::Regex, path)),
        Just((Kind::Any, "")),
    ]
}

prop_compose! {
    fn route()(
        host in prop::sample::select(&HOSTS[..]),
        path in path(),
        methods in prop::collection::vec(prop::sample::select(&METHODS[..]), 0..3),
        fields in prop::collection::vec(prop::sample::select(&FIELDS[..]), 0..3),
    ) -> Plain {
        Plain { host, path, methods, fields }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]
    #[test]
    fn the_table_agrees_with_a_plain_scan(
        routes in prop::collection::vec(route(), 0..24),
        host in prop::sample::select(&HOSTS[..3]),
        path in prop::sample::select(&PATHS[..]),
        method in prop::sample::select(&METHODS[..]),
        fields in prop::collection::vec(
            (prop::sample::select(vec!["x-a", "x-b"]), prop::sample::select(vec!["1", "2"])), 0..3),
    ) {
        let table = Routes::new(routes.iter().map(|route| (route.takes(), route)));
        let mut headers = HeaderMap::new();
        for (name, value) in &fields {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        let verb: Method = method.parse().expect("a method");
        let found = table.take(host, path, &verb, &headers).map(|route| std::ptr::from_ref(*route));
        let fits = |route: &Plain| route.fits(host, path, method, &fields);
        prop_assert_eq!(found, by_the_book(&routes, fits).map(std::ptr::from_ref));
        let known = routes.iter().any(|route| {
            Plain { methods: vec![], fields: vec![], ..route.clone() }.fits(host, path, "", &[])
        });
        prop_assert_eq!(table.knows(host, path), known);
    }
}

#[test]
fn patterns_and_presence_are_asked_of_any_line_of_a_field() {
    let takes = |test| Takes {
        wants: Wants { fields: vec![(HeaderName::from_static("x-a"), test)], ..Wants::default() },
        ..Takes::default()
    };
    let pattern = regex::bytes::Regex::new("^v[23]").expect("a pattern");
    let table =
        Routes::new([(takes(FieldTest::Fits(pattern)), 1), (takes(FieldTest::Present(false)), 2)]);
    for (lines, found) in
        [(&[][..], Some(2)), (&["v1"], None), (&["v1", "v2"], Some(1)), (&["av2"], None)]
    {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("X-A", http::HeaderValue::from_static(line));
        }
        assert_eq!(table.take("h", "/", &Method::GET, &headers).copied(), found, "{lines:?}");
    }
}
