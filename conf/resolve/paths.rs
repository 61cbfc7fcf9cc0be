//! Paths that are compared with those of requests: they have to stand in the form that those are
//! brought into.

use regex_syntax::hir::{Hir, HirKind};
use whodunit_filters::path::{normal, spelt};

use super::Check;
use crate::schema::route::matching::Pattern;
use crate::tree::Step;

/// A whole path.
pub(super) fn check(check: &mut Check<'_>, at: &[Step<'_>], path: &str) {
    compare(check, at, path, normal(path).ok().as_deref());
}

/// How paths begin: `/.` is the beginning of `/.git`.
pub(super) fn check_prefix(check: &mut Check<'_>, at: &[Step<'_>], prefix: &str) {
    let longer = format!("{prefix}x");
    let normal = normal(&longer).ok();
    compare(check, at, prefix, normal.as_deref().and_then(|normal| normal.strip_suffix('x')));
}

fn compare(check: &mut Check<'_>, at: &[Step<'_>], path: &str, normal: Option<&str>) {
    let help = match normal {
        Some(normal) if normal == path => return,
        Some(normal) => format!("write `{normal}`, which fits however it is sent"),
        None => "requests that lead above the root are refused".to_owned(),
    };
    let says = format!("`{path}` fits no request, for paths are compared in their normal form");
    let problem = check.error(at, says).help(help);
    check.push(problem);
}

/// A pattern for a path.
pub(super) fn check_pattern(check: &mut Check<'_>, at: &[Step<'_>], pattern: &Pattern) {
    let Ok(parsed) = regex_syntax::parse(pattern.as_str()) else { return };
    if let Some(never) = never(&parsed) {
        let never = never.escape_debug();
        let says =
            format!("`{never}` fits no request, for paths are compared in their normal form");
        let help = "in it, slashes are merged, dots resolved, and characters that stand for \
                    themselves decoded; others are encoded, by upper-case digits";
        let problem = check.warning(at, says).help(help);
        check.push(problem);
    }
}

/// A text in a pattern that no path in its normal form holds.
fn never(pattern: &Hir) -> Option<String> {
    match pattern.kind() {
        HirKind::Literal(literal) => {
            let text = String::from_utf8_lossy(&literal.0);
            let odd = ["//", "/./", "/../", "\\"].iter().any(|odd| text.contains(odd));
            (odd || spelt(&text) != text).then(|| text.into_owned())
        }
        HirKind::Repetition(repetition) if repetition.min > 0 => never(&repetition.sub),
        HirKind::Capture(capture) => never(&capture.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().find_map(never),
        _ => None,
    }
}
