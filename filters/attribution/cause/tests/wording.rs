//! The words of the table.

use super::*;
use crate::attribution::wording;

/// Words that a newcomer at three in the morning should not have to look up.
const JARGON: &[&str] = &[
    "RST",
    "FIN",
    "SYN",
    "ACK",
    "EOF",
    "SNI",
    "ALPN",
    "MTU",
    "ICMP",
    "OOM",
    "NXDOMAIN",
    "SERVFAIL",
    "socket",
    "handshake",
    "backend",
    "daemon",
    "errno",
    "smuggling",
    "mTLS",
    "keepalive",
    "peer",
    "GOAWAY",
    "RST_STREAM",
    "downstream",
    "L7",
    "timed-out",
    "blackhole",
];

/// Names that a public client must not learn.
const DISCLOSED: &[&str] = &[
    "next_hop",
    "upstream",
    "route",
    "host",
    "path",
    "address",
    "name",
    "names",
    "sni",
    "subject",
    "issuer",
    "resolver",
    "endpoints",
    "trace",
    "first_bytes",
    "inner_node",
    "field",
    "at",
    "method",
];

fn names(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).map(|rest| rest.split_once('}').expect("a closed brace").0)
}

/// The template without facts and without what is quoted from a configuration or a shell.
fn prose(template: &str) -> String {
    let unquoted: String = template.split('`').step_by(2).collect();
    let mut out = String::new();
    for (i, part) in unquoted.split(['{', '}']).enumerate() {
        out.push_str(if i % 2 == 0 { part } else { "x" });
    }
    out
}

#[test]
fn templates_name_only_facts_that_there_are() {
    for row in CATALOGUE.iter() {
        for template in [row.says, row.remedy, row.details] {
            for name in names(template) {
                assert!(wording::known(name), "{row:?}: {name}");
            }
            for (open, close) in [('[', ']'), ('{', '}')] {
                let count = |c| template.matches(c).count();
                assert_eq!(count(open), count(close), "{row:?}: {template}");
            }
        }
    }
}

#[test]
fn details_hold_nothing_but_what_may_leave() {
    for row in CATALOGUE.iter() {
        for name in names(row.details) {
            assert!(!DISCLOSED.contains(&name), "{row:?}: {name}");
            let key: Key = name.parse().expect("details hold evidence only");
            assert!(key.on_the_wire(), "{row:?}: {name}");
        }
        for text in [row.details.to_owned(), verdict(&(row.witness)()).details] {
            let fits = (1..=120).contains(&text.len());
            let plain = text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\');
            assert!(fits && plain, "{row:?}: {text}");
            assert!(!text.ends_with('.') && !text.starts_with(' '), "{row:?}: {text}");
        }
    }
}

#[test]
fn wording_is_whole_and_free_of_jargon() {
    for row in CATALOGUE.iter() {
        let told = verdict(&(row.witness)());
        let bare = |template: &str| template.replace(['[', ']'], "");
        let (says, remedy) = (bare(row.says), bare(row.remedy));
        for text in [&says, &remedy, row.meaning, &told.says, &told.remedy] {
            assert!(text.ends_with('.') && text.len() > 20, "{row:?}: {text}");
            assert!(!text.contains("  ") && !text.contains(" ,") && !text.contains(".."), "{text}");
        }
        for text in [row.says, row.remedy, row.meaning] {
            for word in prose(text).split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-') {
                assert!(!JARGON.contains(&word), "{row:?} says {word}: {text}");
            }
        }
        assert_eq!(prose(row.says).matches(". ").count(), 0, "{row:?} says more than a sentence");
        assert!(!told.says.contains(['{', '[', '`']) || row.says.contains('`'), "{}", told.says);
        assert!(!told.says.contains("an unknown"), "{row:?}: {}", told.says);
    }
}
