//! Origins that read paths in their own ways, written after what they do and not after our reading.

use proptest::prelude::*;
use whodunit_filters::head::Rule;

use super::*;

/// What `%` and two digits stand for; some leave a slash as it is.
fn decoded(path: &str, slashes: bool) -> String {
    let mut out = Vec::new();
    let mut rest = path.as_bytes();
    while let Some(first) = rest.first() {
        let digits = rest.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (byte, length) = match byte.filter(|_| *first == b'%') {
            Some(b'/') if !slashes => (*first, 1),
            Some(byte) => (byte, 3),
            None => (*first, 1),
        };
        out.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Resolves dots, and above the root stays there; some merge slashes before.
fn resolved(path: &str, merged: bool) -> String {
    let mut out: Vec<&str> = Vec::new();
    let segments: Vec<_> = path.split('/').skip(1).collect();
    for (place, segment) in segments.iter().enumerate() {
        let last = place + 1 == segments.len();
        match *segment {
            ".." => drop(out.pop()),
            "." => {}
            "" if merged && !last => {}
            name => {
                out.push(name);
                continue;
            }
        }
        if last {
            out.push("");
        }
    }
    format!("/{}", out.join("/"))
}

fn without_parameters(path: &str) -> String {
    let bare = |segment: &str| segment.split(';').next().unwrap_or_default().to_owned();
    path.split('/').map(bare).collect::<Vec<_>>().join("/")
}

fn with_dots(path: &str) -> String {
    path.replace("%2e", ".").replace("%2E", ".")
}

/// What they are like, and the path that they see.
fn readers(path: &str) -> [(&'static str, String); 9] {
    let slashes = |path: &str| path.replace('\\', "/");
    let merged = |path: &str| resolved(&resolved(path, false), true);
    [
        ("nobody's", path.to_owned()),
        ("an application that decodes", decoded(path, true)),
        ("a router that decodes afterwards", decoded(path, false)),
        ("nginx", resolved(&decoded(path, true), true)),
        ("Apache", resolved(&decoded(path, false), true)),
        ("a servlet container", resolved(&decoded(&without_parameters(path), false), true)),
        ("Windows", resolved(&slashes(&decoded(path, true)), true)),
        ("a browser's library", decoded(&resolved(&with_dots(&slashes(path)), false), false)),
        ("RFC 3986, and then slashes", merged(&decoded(path, false))),
    ]
}

/// Ways to write a path that leads to `/a/`, and ways that do not.
fn odd_paths() -> impl Strategy<Value = String> {
    let pieces = [
        "/", "/", "a", "a", "%61", "b", "..", "..", "%2e.", "%2E%2e", ".", "%2f", "%2F", "\\",
        "%5c", "%5C", ";", ";x=a", "%3B",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 1..12)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]
    #[test]
    fn no_origin_is_reached_past_a_route(path in odd_paths(), exact: bool) {
        let closed = if exact { PathTest::Exact("/a/b".into()) } else { PathTest::Prefix("/a/".into()) };
        let table = Routes::new([
            (Takes { path: closed, ..Takes::default() }, "closed"),
            (Takes::default(), "open"),
        ]);
        let chosen = table.choose("h", &path, &Method::GET, &HeaderMap::new());
        if chosen == Ok(Some(&"open")) {
            for (reader, seen) in readers(&path) {
                prop_assert_eq!(table.find("h", &seen), Some(&"open"), "{} sees {}", reader, seen);
            }
        }
    }
}

#[test]
fn a_path_with_several_readings_is_refused_only_where_they_lead_elsewhere() {
    let table = table(&[("", "/admin/"), ("", "")]);
    let choose = |path: &str| {
        let found = table.choose("h", path, &Method::GET, &HeaderMap::new());
        found.map(|found| found.map_or("none", |found| found.trim()))
    };
    for (path, found) in [
        ("/admin/../admin/x", Ok("/admin/")),
        ("//%61dmin/x", Ok("/admin/")),
        ("/admin/a%2Fb\\c;d", Ok("/admin/")),
        ("/a%2Fb\\c;d", Ok("")),
        ("/a/../admin/", Err(Rule::TwoPaths)),
        ("/admin/../a", Err(Rule::TwoPaths)),
        ("/admin%2Fx", Err(Rule::TwoPaths)),
        ("/../admin/", Err(Rule::AboveRoot)),
        ("/..%2Fadmin/", Err(Rule::AboveRoot)),
        ("*", Ok("")),
    ] {
        assert_eq!(choose(path), found, "{path}");
    }
    assert!(table.knows("h", "/%61dmin/") && !table.knows("h", "/../admin/"));
}
