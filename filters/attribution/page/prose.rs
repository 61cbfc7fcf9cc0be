//! Sentences of the catalogue, in which names of settings and the like stand as code.

/// The parts of a text, alternately plain and code, which our templates put between grave accents.
/// Where a peer's own accents leave it unclear what is between which, all of it is plain.
pub(super) fn parts(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let paired = text.matches('`').count().is_multiple_of(2) && !text.contains("``");
    let mut code = true;
    text.split(move |c| paired && c == '`').map(move |part| {
        code = !code;
        (code, part)
    })
}

/// Markdown that makes no link, image, emphasis or HTML. Code is shown as it is, so that a
/// backslash in it would be seen.
pub(super) fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (code, part) in parts(text) {
        if code {
            out.extend(["`", part, "`"]);
            continue;
        }
        for c in part.chars() {
            if matches!(c, '\\' | '`' | '[' | ']' | '<' | '>' | '*' | '_' | '&' | '|' | '#' | '!') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}
