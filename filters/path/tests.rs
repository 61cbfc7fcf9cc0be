use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn form(path: &str) -> Option<String> {
    normal(path).ok().map(Cow::into_owned)
}

#[test]
fn a_path_has_one_normal_form() {
    for (path, normal) in [
        ("/", "/"),
        ("/admin/", "/admin/"),
        ("/%61dmin/", "/admin/"),
        ("//admin/", "/admin/"),
        ("/./admin/", "/admin/"),
        ("/x/../admin/", "/admin/"),
        ("/x/%2e%2E/admin/", "/admin/"),
        ("/x/.%2e/./%2E/admin//", "/admin/"),
        ("/x//../admin", "/admin"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/a/..", "/"),
        ("/...a/..b/.c/d..", "/...a/..b/.c/d.."),
        ("/a%2fb%5c%25%3f%23%20%00", "/a%2Fb%5C%25%3F%23%20%00"),
        ("/a\\b", "/a%5Cb"),
        ("/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40%7E", "/!$&'()*+,;=:@~"),
        ("/gr\u{fc}n", "/gr%C3%BCn"),
        ("/gr%c3%bcn", "/gr%C3%BCn"),
        ("/100%", "/100%"),
        ("/%4/%zz", "/%4/%zz"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/a/..;/b", "/a/..;/b"),
        ("/a%252e%252e", "/a%252e%252e"),
        ("*", "*"),
    ] {
        assert_eq!(form(path).as_deref(), Some(normal), "{path}");
    }
    for above in ["/..", "/../x", "/a/../../b", "/%2e./x", "//../x", "/./../a", "/a/../..//"] {
        assert_eq!(normal(above), Err(Rule::AboveRoot), "{above}");
    }
}

#[test]
fn some_readers_see_another_path() {
    for (path, others) in [
        ("/a/b", &[][..]),
        ("/%61/.//b", &[]),
        ("/a%2Fb", &["/a/b"]),
        ("/a%5Cb", &["/a/b"]),
        ("/a\\b", &["/a/b"]),
        ("/a\\b%5Cc", &["/a/b%5Cc", "/a%5Cb/c", "/a/b/c"]),
        ("/a;v=1/b;w", &["/a/b"]),
        ("/a/../b", &["/a/../b"]),
        ("/a//../b", &["/a/../b", "/a/b"]),
        ("/a/..;x/b", &["/a/..;x/b", "/b", "/a/../b"]),
        ("/a%2F../b", &["/a%2F../b", "/a/../b", "/b"]),
    ] {
        let mut read: Vec<_> =
            Readings::of(path).map(|path| path.expect("below the root")).collect();
        assert_eq!(Some(read.remove(0)), form(path));
        read.retain(|other| Some(other.as_str()) != form(path).as_deref());
        read.sort();
        read.dedup();
        let mut others = others.to_vec();
        others.sort_unstable();
        others.retain(|other| Some(*other) != form(path).as_deref());
        assert_eq!(read, others, "{path}");
    }
    let above = |path| Readings::of(path).any(|path| path == Err(Rule::AboveRoot));
    for path in ["/..%2Fa", "/..\\a", "/a/..%5C..", "/..;/a", "/a/..;x=1/..;/b"] {
        assert!(normal(path).is_ok() && above(path), "{path}");
    }
    assert_eq!(Readings::of("/a%2F\\%5C;b..//").count(), 16);
    let many: Vec<_> = Readings::of("/a/%2F\\b;/..").collect();
    assert_eq!(many, [Ok("/a/".to_owned()), Err(Rule::TwoPaths)]);
}

#[test]
fn what_leads_upwards_is_found() {
    for path in ["/a/../b", "/a/%2e%2e", "/a%2f..%2fb", "/a\\..", "/a/..%5cb", "/..;a=b/c"] {
        assert!(climbs(path), "{path}");
    }
    for path in ["/a/b", "/a/./b", "/a..b/..c/d..", "/...", "/a;../b", "/%2e/..a"] {
        assert!(!climbs(path), "{path}");
    }
}

/// The normal form as plainly as can be: what is decoded, then what is merged, then RFC 3986 section
/// 5.2.4, one step after the other.
fn plainly(path: &str) -> Option<String> {
    let mut decoded = String::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let digits = rest.get(1..3).filter(|d| first == '%' && d.bytes().all(hex));
        let byte = digits.map(|digits| u8::from_str_radix(digits, 16).expect("two digits"));
        let (bytes, kept, length) = match byte {
            Some(byte) => (vec![byte], !b"/\\%?#".contains(&byte), 3),
            None => (rest[..first.len_utf8()].into(), first != '\\', first.len_utf8()),
        };
        for byte in bytes {
            if kept && (0x21..0x7f).contains(&byte) {
                decoded.push(byte.into());
            } else {
                write!(decoded, "%{byte:02X}").expect("a string takes it");
            }
        }
        rest = &rest[length..];
    }
    while decoded.contains("//") {
        decoded = decoded.replace("//", "/");
    }
    let mut kept = Vec::new();
    let segments: Vec<_> = decoded.split('/').skip(1).collect();
    for segment in &segments {
        match *segment {
            "." | "" => {}
            ".." => drop(kept.pop()?),
            name => kept.push(name),
        }
    }
    let open = matches!(segments.last(), Some(&("" | "." | ".."))) && !kept.is_empty();
    Some(format!("/{}{}", kept.join("/"), if open { "/" } else { "" }))
}

/// Paths of what is likely to go wrong.
fn paths() -> impl Strategy<Value = String> {
    let pieces = [
        "/", "/", "/", ".", "..", "%2e", "%2E", "a", "admin", "%61", "%2f", "%2F", "\\", "%5c",
        ";", ";v=1", "%3b", "%", "%4", "%25", "%252e", "\u{fc}", "%c3%BC", "~", "%7e", "!", "%21",
        "|", "%7C", "%00", "%20",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn the_normal_form_is_the_plain_one(path in paths()) {
        prop_assert_eq!(form(&path), plainly(&path));
    }

    #[test]
    fn what_is_plain_has_one_reading(path in paths()) {
        let readings: Vec<_> = Readings::of(&path).collect();
        prop_assert_eq!(readings[0].clone().ok(), form(&path));
        prop_assert!(readings.len() <= 16);
        if is_plain(&path) {
            prop_assert!(readings.iter().all(|read| read.as_ref() == Ok(&path)), "{:?}", readings);
        }
    }

    #[test]
    fn a_normal_form_holds_nothing_that_a_plain_reader_resolves(path in paths()) {
        for reading in Readings::of(&path).flatten() {
            prop_assert!(reading.starts_with('/') && reading.is_ascii(), "{}", reading);
            prop_assert!(!reading.contains("//") && !reading.contains("/./"), "{}", reading);
        }
        if let Some(normal) = form(&path) {
            prop_assert!(!normal.contains("/../") && !normal.ends_with("/.."), "{}", normal);
        }
    }
}
