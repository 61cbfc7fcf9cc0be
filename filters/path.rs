//! Paths as their readers understand them.
//!
//! `/x/../admin/`, `//admin/` and `/%61dmin/` are `/admin/` to whoever serves files or pages by them,
//! and a rule for `/admin/` is to hold for them all. So a path is judged by its *normal form*:
//! characters are decoded that stand for themselves, the others are encoded, by upper-case digits;
//! slashes that follow each other are merged, and then `.` and `..` resolved (RFC 3986 section 6.2.2;
//! nginx and Apache do so, too).
//!
//! Beyond that readers differ, and the path goes on as it came: to some `%2F`, `\` or `%5C` is a
//! slash, some drop what follows a `;`, some do not resolve `..`, some do it before they merge
//! slashes. Whoever decides by a path asks for all its [`Readings`], and refuses what is not the same
//! by each of them.

use std::borrow::Cow;

use crate::head::Rule;

#[cfg(test)]
mod tests;

/// `%2F` is a slash.
const SLASH: u8 = 1;
/// `\` is a slash.
const BACKSLASH: u8 = 1 << 1;
/// `%5C` is a slash.
const ENCODED_BACKSLASH: u8 = 1 << 2;
/// What follows a `;` is no part of its segment.
const PARAMETERS: u8 = 1 << 3;
/// `..` is a name as any other.
const UPWARDS: u8 = 1 << 4;
/// Slashes are merged after `..` is resolved.
const LATE: u8 = 1 << 5;

/// Whether all readers understand this path in the same way, and it stands in its normal form: so do
/// nearly all. What does not begin with `/` is no path.
#[inline]
#[must_use]
pub fn is_plain(path: &str) -> bool {
    let mut before = 0;
    for byte in path.bytes() {
        let odd = matches!(byte, b'%' | b'\\' | b';') || !byte.is_ascii();
        if odd || before == b'/' && matches!(byte, b'/' | b'.') {
            return !path.starts_with('/');
        }
        before = byte;
    }
    true
}

/// The normal form of a path.
///
/// # Errors
/// [`Rule::AboveRoot`].
pub fn normal(path: &str) -> Result<Cow<'_, str>, Rule> {
    if is_plain(path) { Ok(Cow::Borrowed(path)) } else { read(&spelt(path), 0).map(Cow::Owned) }
}

/// Whether some reader finds a `..` in this path that leads upwards.
#[must_use]
pub fn climbs(path: &str) -> bool {
    if is_plain(path) {
        return false;
    }
    upwards(&spelt(path))
}

fn upwards(spelt: &str) -> bool {
    let path = split(spelt, SLASH | BACKSLASH | ENCODED_BACKSLASH);
    path.split('/').any(|segment| bare(segment) == "..")
}

/// A text that stands in a path, by its characters' usual spelling: encoded are a slash, a backslash,
/// a percent sign and what cannot stand in a path, by upper-case digits. Slashes and backslashes that
/// are not encoded stay, and so does a percent sign that encodes nothing.
#[must_use]
pub fn spelt(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match after {
            [high, low, after @ ..] if *first == b'%' && hex(*high) && hex(*low) => {
                let byte = (value(*high) << 4) | value(*low);
                put(byte, !byte.is_ascii_graphic() || br"/\%?#".contains(&byte), &mut out);
                rest = after;
            }
            _ => put(*first, !first.is_ascii_graphic(), &mut out),
        }
    }
    out
}

const fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

const fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn put(byte: u8, encoded: bool, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if encoded {
        let digits = [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
        out.extend(['%', digits[0], digits[1]]);
    } else {
        out.push(char::from(byte));
    }
}

/// The most in which readers of a path may differ: it is read once for each set of them.
const MOST: u32 = 4;

/// What readers make of a path, its normal form first: each time the path that they see, or the rule
/// that it breaks. One for most; a path on which they could differ in more than four ways is made for
/// nothing else, and not looked at further.
#[derive(Clone, Debug)]
pub struct Readings {
    spelt: String,
    /// In what they can differ.
    open: u8,
    next: Option<u8>,
}

impl Readings {
    /// Those of a path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let spelt = spelt(path);
        let signs =
            [(SLASH, "%2F"), (BACKSLASH, "\\"), (ENCODED_BACKSLASH, "%5C"), (PARAMETERS, ";")];
        let found = signs.iter().filter(|(_, sign)| spelt.contains(sign));
        let mut open = found.fold(0, |open, (bit, _)| open | bit);
        if upwards(&spelt) {
            let late = if open != 0 || spelt.contains("//") { LATE } else { 0 };
            open |= UPWARDS | late;
        }
        Self { spelt, open, next: Some(0) }
    }
}

impl Iterator for Readings {
    type Item = Result<String, Rule>;

    fn next(&mut self) -> Option<Self::Item> {
        let reading = self.next?;
        if reading != 0 && self.open.count_ones() > MOST {
            self.next = None;
            return Some(Err(Rule::TwoPaths));
        }
        // The next one of the sets of bits that are open.
        self.next = Some(reading.wrapping_sub(self.open) & self.open).filter(|next| *next != 0);
        Some(read(&self.spelt, reading))
    }
}

/// The path with a `/` wherever a reader sees one.
fn split(spelt: &str, reading: u8) -> Cow<'_, str> {
    let mut path = Cow::Borrowed(spelt);
    for (bit, sign) in [(SLASH, "%2F"), (BACKSLASH, "\\"), (ENCODED_BACKSLASH, "%5C")] {
        if reading & bit != 0 && path.contains(sign) {
            path = path.replace(sign, "/").into();
        }
    }
    path
}

/// A segment without its parameters.
fn bare(segment: &str) -> &str {
    segment.split_once(';').map_or(segment, |(name, _)| name)
}

/// A path by this reading.
fn read(spelt: &str, reading: u8) -> Result<String, Rule> {
    let path = split(spelt, reading);
    // Ends with the slash after which the next segment stands.
    let mut out = String::with_capacity(path.len() + 1);
    out.push('/');
    let mut segments = path.strip_prefix('/').unwrap_or(&path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match if reading & PARAMETERS == 0 { segment } else { bare(segment) } {
            "." => {}
            ".." if reading & UPWARDS == 0 => {
                out.pop();
                out.truncate(out.rfind('/').ok_or(Rule::AboveRoot)? + 1);
            }
            "" if last || reading & LATE == 0 => {}
            name => {
                out.push_str(name);
                out.extend((!last).then_some('/'));
            }
        }
    }
    if reading & LATE != 0 {
        while out.contains("//") {
            out = out.replace("//", "/");
        }
    }
    Ok(if out.contains('\\') { out.replace('\\', "%5C") } else { out })
}
