//! Which of our forms of an answer a client would rather have (RFC 9110 section 12.5.1).

/// The forms that an error's body can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain`: the default, and what `curl` gets.
    Text,
    /// `text/html`.
    Html,
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// `application/json`: the same members.
    Json,
    /// `text/markdown` (RFC 7763).
    Markdown,
}

/// The most media ranges that are looked at.
const MAX_RANGES: usize = 64;

impl Format {
    /// In order of our own preference.
    const ALL: [Self; 5] = [Self::Text, Self::Html, Self::Problem, Self::Json, Self::Markdown];

    /// The form that suits best. Among equals an exact range beats a wildcard, the earlier range
    /// the later one, and our own order decides last. An error is better told in a form that was
    /// not asked for than not at all: so nothing acceptable, or nonsense, gives text.
    #[must_use]
    pub fn choose(accept: Option<&[u8]>) -> Self {
        let Some(accept) = accept.and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
            return Self::Text;
        };
        match accept.split_once('/') {
            Some(("*", "*")) => return Self::Text,
            only => {
                if let Some(format) = Self::ALL.into_iter().find(|f| Some(f.media_type()) == only) {
                    return format;
                }
            }
        }
        let mut offered = [None; Self::ALL.len()];
        let ranges = unquoted(accept, b',').take(MAX_RANGES).filter_map(Range::parse);
        for (place, range) in ranges.enumerate() {
            for (format, best) in Self::ALL.into_iter().zip(&mut offered) {
                let fit = range.fit(format);
                if fit != Fit::None {
                    *best = (*best).max(Some((fit, range.quality, MAX_RANGES - place)));
                }
            }
        }
        let mut best = (Self::Text, (0, Fit::None, 0));
        for (format, offered) in Self::ALL.into_iter().zip(offered) {
            if let Some((fit, quality, place)) = offered
                && quality > 0
                && (quality, fit, place) > best.1
            {
                best = (format, (quality, fit, place));
            }
        }
        best.0
    }

    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("text", "plain"),
            Self::Html => ("text", "html"),
            Self::Problem => ("application", "problem+json"),
            Self::Json => ("application", "json"),
            Self::Markdown => ("text", "markdown"),
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Problem => "application/problem+json",
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
        }
    }
}

/// How closely a range fits a form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    None,
    Any,
    Type,
    Exact,
}

/// A media range, with its quality in thousandths.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = unquoted(text, b';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let quality = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1000), |(_, value)| thousandths(value.trim()))?;
        Some(Self { main: main.trim(), sub: sub.trim(), quality })
    }

    fn fit(&self, format: Format) -> Fit {
        let (main, sub) = format.media_type();
        match (self.main, self.sub) {
            ("*", "*") => Fit::Any,
            (m, "*") if m.eq_ignore_ascii_case(main) => Fit::Type,
            (m, s) if m.eq_ignore_ascii_case(main) && s.eq_ignore_ascii_case(sub) => Fit::Exact,
            _ => Fit::None,
        }
    }
}

/// The parts between separators (ASCII) that do not stand in a quoted string.
fn unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    let mut quoted = false;
    std::iter::from_fn(move || {
        let whole = rest?;
        let end = whole.bytes().position(|byte| {
            quoted ^= byte == b'"';
            byte == separator && !quoted
        });
        rest = end.map(|end| &whole[end + 1..]);
        Some(end.map_or(whole, |end| &whole[..end]))
    })
}

/// A weight (RFC 9110 section 12.4.2), such as `0.8`.
pub(crate) fn thousandths(weight: &str) -> Option<u16> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_form_is_chosen() {
        for (accept, format) in [
            ("*/*", Format::Text),
            ("", Format::Text),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
                Format::Html,
            ),
            ("application/json, text/plain, */*", Format::Json),
            ("text/plain, application/json", Format::Text),
            ("application/*", Format::Problem),
            ("Application/JSON", Format::Json),
            ("application/problem+json;q=0.9, application/json;q=0.5", Format::Problem),
            ("application/problem+json;q=0.5, application/json;q=0.51", Format::Json),
            ("text/markdown, text/html;q=0.9", Format::Markdown),
            ("text/*;q=0.3, text/html;q=0.1, application/json;q=0.2", Format::Text),
            ("text/plain;q=0, */*", Format::Html),
            ("text/html;q=0, text/*", Format::Text),
            ("text/html;x=\"a,b;q=0\", text/plain;q=0.1", Format::Html),
            ("image/png", Format::Text),
            ("text/html;q=0", Format::Text),
            ("text/html;q=2, application/json;q=0.1", Format::Json),
            ("text/html;q=0.1234", Format::Text),
            ("html", Format::Text),
            (",,;;q=,/,*", Format::Text),
        ] {
            assert_eq!(Format::choose(Some(accept.as_bytes())), format, "{accept}");
        }
        assert_eq!(Format::choose(None), Format::Text);
        assert_eq!(Format::choose(Some(b"text/html\xff")), Format::Text);
    }
}
