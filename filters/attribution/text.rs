//! Text from outside, looked through many bytes at a time: most of it is plain and is taken as it is.

use std::borrow::Cow;

/// Whether a character could make a reader take one line for two, or see text out of order.
/// All of them are in the basic plane, so that one `\u` escape holds each.
pub(super) const fn deceives(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether text is printable ASCII throughout.
pub(super) fn printable(text: &str) -> bool {
    leading(text, is_printable) == text.len()
}

/// How many bytes at the start of a text stand as they are in a quoted string of JSON, or of a
/// Structured Field: printable ASCII without `"` and `\`.
pub(super) fn plain(text: &str) -> usize {
    leading(text, |byte| is_printable(byte) && byte != b'"' && byte != b'\\')
}

const fn is_printable(byte: u8) -> bool {
    byte.wrapping_sub(b' ') < 0x5f
}

/// How many bytes at the start of a text are good. They are looked at together, without a branch for
/// each, so that the compiler takes all bytes of a chunk at once.
fn leading(text: &str, good: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let sound = |chunk: &Chunk| chunk.iter().fold(true, |all, byte| all & good(*byte));
    let (chunks, rest) = bytes.as_chunks();
    let unsound = chunks.iter().position(|chunk| !sound(chunk));
    if unsound.is_none() {
        let last = bytes.last_chunk().copied().unwrap_or_else(|| {
            let mut last = [b'a'; size_of::<Chunk>()];
            last[..rest.len()].copy_from_slice(rest);
            last
        });
        if sound(&last) {
            return bytes.len();
        }
    }
    let seen = unsound.unwrap_or(chunks.len()) * size_of::<Chunk>();
    let rest = &bytes[seen..];
    seen + rest.iter().position(|byte| !good(*byte)).unwrap_or(rest.len())
}

/// Bytes that are looked at together.
type Chunk = [u8; 16];

/// Puts text behind what is there, with another way to write each of some ASCII characters.
pub(super) fn replace(
    text: &str,
    out: &mut String,
    special: impl Fn(u8) -> bool,
    write: impl Fn(&mut String, char),
) {
    out.reserve(text.len() + 16);
    let mut rest = text;
    while let Some(place) = rest.bytes().position(&special) {
        out.push_str(&rest[..place]);
        write(out, char::from(rest.as_bytes()[place]));
        rest = &rest[place + 1..];
    }
    out.push_str(rest);
}

/// Text that a peer may have had a hand in: on one line, not deceiving, and no longer than this
/// many characters.
pub(super) fn tidied(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most && printable(text) {
        return text.into();
    }
    let mut chars = text.chars();
    let harmless = |c| if deceives(c) { char::REPLACEMENT_CHARACTER } else { c };
    let mut out: String = chars.by_ref().take(most).map(harmless).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_bytes_at_a_time_are_seen_as_one_by_one(text in "[ -~]{0,60}(.|[\\u{0}-\\u{9f}]){0,9}[ -~]{0,20}") {
            prop_assert_eq!(printable(&text), text.bytes().all(|b| matches!(b, b' '..=b'~')));
            let plain_by_one = text.bytes().take_while(|b| matches!(b, b' '..=b'~') && *b != b'"' && *b != b'\\');
            prop_assert_eq!(plain(&text), plain_by_one.count());
            let mut replaced = String::new();
            replace(&text, &mut replaced, |byte| matches!(byte, b'a' | b'X'), |out, c| out.extend(['(', c, ')']));
            prop_assert_eq!(replaced, text.replace('a', "(a)").replace('X', "(X)"));
        }

        #[test]
        fn tidied_text_is_bounded_and_does_not_deceive(text in ".{0,60}", most in 0..70_usize) {
            let tidied = tidied(&text, most).into_owned();
            let expected: String = text.chars().take(most)
                .map(|c| if deceives(c) { '\u{fffd}' } else { c })
                .chain((text.chars().count() > most).then_some('…'))
                .collect();
            prop_assert_eq!(tidied, expected);
        }
    }
}
