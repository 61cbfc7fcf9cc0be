//! Pages of a deployment's own, in place of ours: for which hosts and statuses, and with what put in.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use super::html::Html;
use super::prose::parts;
use super::{Body, Told, phrase, tidy};
use crate::attribution::diagnosis::Diagnosis;
use crate::attribution::disclosure::Disclosure;
use crate::attribution::exchange::Exchange;
use crate::attribution::record::timestamp;
use crate::attribution::token::tokens;

tokens! {
    /// What is put into a page, written in braces: `{ref}`.
    pub enum Slot {
        /// The status: `502`.
        Status = "status",
        /// Its phrase: `Bad Gateway`.
        Reason = "reason",
        /// The cause's id.
        Cause = "cause",
        /// Who failed, in words.
        Party = "party",
        /// The request's id.
        Ref = "ref",
        /// When the answer was made (RFC 3339, UTC).
        Time = "time",
        /// The host asked for.
        Host = "host",
        /// What happened, in a sentence.
        Says = "says",
        /// What to do about it.
        Remedy = "remedy",
    }
}

/// The statuses that a page is for: one (`502`), or all of a class (`5xx`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// One status from 400 to 599.
    One(u16),
    /// All that begin with this digit, 4 or 5.
    Class(u16),
}

/// A page's own text, and the slot behind each piece of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<(Box<str>, Option<Slot>)>,
    lacking: Vec<Slot>,
}

/// A page, and what it is for.
#[derive(Clone, Debug)]
pub struct Page {
    /// The host: `app.example.net`, `*.example.net`, or any. In lower case.
    pub host: Option<String>,
    /// The statuses.
    pub codes: Vec<Codes>,
    /// The page.
    pub template: Template,
}

/// All pages of a deployment's own. The first that fits is used.
#[derive(Clone, Debug, Default)]
pub struct Pages(pub Vec<Page>);

/// What no page may lack: without these nobody finds the request again.
const NEEDED: [Slot; 2] = [Slot::Cause, Slot::Ref];
/// As long as the longest name of a slot, and its end.
const LONGEST: usize = 7;
/// What a page that lacks them gets, at the end of its body.
const FOOT: &str = "<p>Cause: {cause}. Ref: {ref}</p>\n";

impl Template {
    /// The template in an HTML text. Braces around anything but a slot's name mean nothing: style
    /// sheets and scripts are full of them. A page without `{cause}` or `{ref}` gets a line with both.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let pieces = split(text);
        let has = |slot: &Slot| pieces.iter().any(|(_, at)| at.as_ref() == Some(slot));
        let lacking: Vec<Slot> = NEEDED.into_iter().filter(|slot| !has(slot)).collect();
        if lacking.is_empty() {
            return Self { pieces, lacking };
        }
        let end = text.to_ascii_lowercase().rfind("</body").unwrap_or(text.len());
        let (before, after) = text.split_at(end);
        Self { pieces: split(&[before, FOOT, after].concat()), lacking }
    }

    /// What the page lacked, and was given.
    #[must_use]
    pub fn lacking(&self) -> &[Slot] {
        &self.lacking
    }

    /// The page about a verdict, as far as the client may be told. What a peer had a hand in is
    /// escaped for text and for attributes in quotes.
    #[must_use]
    pub fn body(
        &self,
        exchange: &Exchange,
        diagnosis: &Diagnosis,
        status: u16,
        disclosure: Disclosure,
        node: &str,
        now: SystemTime,
    ) -> Body {
        let told = Told::of(exchange, diagnosis, disclosure, node);
        let host = exchange.request.as_ref().map_or("", |request| request.host.as_str());
        let mut html = Html::default();
        for (ours, slot) in &self.pieces {
            html.own(ours);
            match slot {
                None => {}
                Some(Slot::Status) => html.text(itoa::Buffer::new().format(status)),
                Some(Slot::Reason) => html.text(phrase(status)),
                Some(Slot::Cause) => html.text(diagnosis.cause.id),
                Some(Slot::Party) => html.text(told.who()),
                Some(Slot::Ref) => html.text(told.id),
                Some(Slot::Time) => html.text(&timestamp(now)),
                Some(Slot::Host) => html.text(&tidy(host)),
                Some(Slot::Says) => parts(&told.what).for_each(|(_, part)| html.text(part)),
                Some(Slot::Remedy) => parts(&told.todo).for_each(|(_, part)| html.text(part)),
            }
        }
        let content_type = super::Format::Html.content_type();
        Body { content_type, bytes: html.finish().into() }
    }
}

fn split(text: &str) -> Vec<(Box<str>, Option<Slot>)> {
    let mut pieces = Vec::new();
    let (mut rest, mut from) = (text, 0);
    while let Some(open) = rest[from..].find('{').map(|at| from + at) {
        let inside = &rest[open + 1..];
        let close = inside.bytes().take(LONGEST).position(|byte| byte == b'}');
        let slot = close.and_then(|at| inside[..at].parse::<Slot>().ok());
        let Some(slot) = slot else {
            from = open + 1;
            continue;
        };
        pieces.push((rest[..open].into(), Some(slot)));
        (rest, from) = (&inside[slot.as_str().len() + 1..], 0);
    }
    pieces.push((rest.into(), None));
    pieces
}

impl Pages {
    /// The page for this status on a host, given as in the `Host` field.
    #[must_use]
    pub fn find(&self, host: &str, status: u16) -> Option<&Template> {
        let fits = |page: &&Page| {
            page.codes.iter().any(|codes| codes.hold(status))
                && page.host.as_ref().is_none_or(|known| known_as(known, host))
        };
        self.0.iter().find(fits).map(|page| &page.template)
    }
}

/// Whether a host, with or without a port and a dot at its end, is one of these.
fn known_as(known: &str, host: &str) -> bool {
    let end = match host.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    let host = host[..end].trim_end_matches('.').as_bytes();
    match known.strip_prefix('*').map(str::as_bytes) {
        Some(domain) => host
            .len()
            .checked_sub(domain.len())
            .is_some_and(|start| start > 0 && host[start..].eq_ignore_ascii_case(domain)),
        None => host.eq_ignore_ascii_case(known.as_bytes()),
    }
}

impl Codes {
    const fn hold(self, status: u16) -> bool {
        match self {
            Self::One(code) => code == status,
            Self::Class(digit) => status / 100 == digit,
        }
    }
}

impl FromStr for Codes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "4xx" => return Ok(Self::Class(4)),
            "5xx" => return Ok(Self::Class(5)),
            _ => {}
        }
        let code = text.parse().ok().filter(|code| (400..=599).contains(code));
        code.map(Self::One).ok_or_else(|| {
            let text = text.escape_debug();
            format!("`{text}` is no error status: write a number from 400 to 599, `4xx` or `5xx`")
        })
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(code) => write!(f, "{code}"),
            Self::Class(digit) => write!(f, "{digit}xx"),
        }
    }
}

#[cfg(test)]
mod tests;
