//! Nothing that somebody can write makes the reader fall over.

use proptest::prelude::*;
use whodunit_conf::{Flags, parse};

const FULL: &str = include_str!("../examples/full.yaml");
const EDGE: &str = include_str!("../examples/edge.yaml");

/// Reads a text in every way there is.
fn read(text: &str) {
    match parse(text, "x.yaml") {
        Ok(checked) => {
            drop(checked.warnings.render(true));
            drop(checked.config.shown());
            assert!(
                checked
                    .resolved
                    .routes
                    .iter()
                    .filter_map(|way| way.upstream.as_ref())
                    .all(|upstream| checked.config.upstreams.contains_key(upstream))
            );
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            drop((
                problems.render(false),
                problems.render(true),
                problems.json(),
                problems.to_string(),
            ));
        }
    }
}

/// Pieces that mean something, so that chance gets somewhere.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "upstreams",
        "routes",
        "web",
        "endpoints",
        "listeners",
        "address",
        "timeouts",
        "limits",
        "match",
        ": ",
        ":\n",
        "\n",
        "\n  ",
        "\n    - ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "&a ",
        "*a",
        "!t ",
        "|\n",
        ">\n",
        "? ",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "null",
        "~",
        "5s",
        "10.0.0.5:80",
        "\t",
        "ü",
        "\u{feff}",
        "\u{85}",
        "\r\n",
        "\0",
        "<<",
        "0x",
        "1e999",
        "-1",
        "true",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A right configuration with one stretch of it replaced.
fn damaged() -> impl Strategy<Value = String> {
    let whole = prop::sample::select(vec![FULL, EDGE]);
    (whole, any::<prop::sample::Index>(), 0..40_usize, pieces()).prop_map(
        |(text, at, gone, put)| {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            let end = (at + gone).min(chars.len());
            let put = put.chars().take(20);
            chars[..at].iter().copied().chain(put).chain(chars[end..].iter().copied()).collect()
        },
    )
}

/// A right configuration with one value replaced by another.
fn exchanged() -> impl Strategy<Value = String> {
    let values = vec![
        "null",
        "",
        "5",
        "-1",
        "1.5",
        "99999999999999999999",
        "true",
        "text",
        "5s",
        "32KiB",
        "[]",
        "{}",
        "[5]",
        "{a: 1}",
        "10.0.0.5:80",
        "/x",
        "*",
        "\"\"",
        "sample",
        "unix:/x",
        "[{}]",
        "[null]",
        "private",
    ];
    let whole = prop::sample::select(vec![FULL, EDGE]);
    (whole, any::<prop::sample::Index>(), prop::sample::select(values)).prop_map(
        |(text, at, value)| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let at = at.index(lines.len());
            if let Some((key, _)) = lines[at].split_once(": ") {
                lines[at] = format!("{key}: {value}");
            }
            lines.join("\n")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_answered(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn arbitrary_pieces_are_answered(text in pieces()) {
        read(&text);
    }

    #[test]
    fn damaged_files_are_answered(text in damaged()) {
        read(&text);
    }

    /// The walk tells all that serde would refuse, in its own words: serde's never reach anybody.
    #[test]
    fn what_the_schema_takes_the_settings_take(text in exchanged()) {
        read(&text);
        if let Err(problems) = parse(&text, "x.yaml") {
            let told = problems.to_string();
            prop_assert!(!told.contains("invalid type") && !told.contains("did not match"), "{told}");
        }
    }

    #[test]
    fn arbitrary_flags_are_answered(upstream in "(https?://)?[ -~]{0,20}(:[0-9]{0,6})?", listen in "[ -~]{0,20}") {
        let flags = Flags { upstreams: vec![upstream], listen: Some(listen), admin: None };
        if let Err(problems) = flags.check() {
            drop(problems.render(false));
        }
    }
}
