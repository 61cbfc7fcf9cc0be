//! Sentences of the catalogue, in which names of settings and the like stand as code.

use crate::attribution::text::replace;

/// The parts of a text, alternately plain and code, which our templates put between grave accents.
/// Where a peer's own accents leave it unclear what is between which, all of it is plain.
pub(super) fn parts(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let accents = text.matches('`').count();
    let paired = accents > 0 && accents.is_multiple_of(2) && !text.contains("``");
    let mut rest = Some(text);
    let mut code = true;
    std::iter::from_fn(move || {
        let whole = rest?;
        let part = match whole.split_once('`').filter(|_| paired) {
            Some((part, after)) => {
                rest = Some(after);
                part
            }
            None => rest.take()?,
        };
        code = !code;
        Some((code, part))
    })
}

/// Markdown that makes no link, image, emphasis or HTML. Code is shown as it is, so that a
/// backslash in it would be seen.
pub(super) fn inert(text: &str, out: &mut String) {
    for (code, part) in parts(text) {
        if code {
            out.extend(["`", part, "`"]);
            continue;
        }
        let special = |byte| {
            matches!(
                byte,
                b'\\' | b'`' | b'[' | b']' | b'<' | b'>' | b'*' | b'_' | b'&' | b'|' | b'#' | b'!'
            )
        };
        replace(part, out, special, |out, c| {
            out.push('\\');
            out.push(c);
        });
    }
}
