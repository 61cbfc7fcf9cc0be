//! The catalogue of causes: one row per cause, in order of precedence. Header, body, log, metrics,
//! `causes`, `explain` and the reference page all follow from these rows; a cause is added here
//! and nowhere else.
//!
//! The rows stand in one file for each part of a request's way:
//! [`client`], [`proxy`], [`path`], [`tls`] and [`certificate`], [`send`], [`answer`] and [`body`].

pub mod answer;
pub mod body;
pub mod certificate;
pub mod client;
pub mod path;
pub mod proxy;
pub mod send;
#[cfg(test)]
mod tests;
pub mod tls;
mod witness;

use std::sync::LazyLock;

use super::evidence::{Failure, Fault, Party, Phase, Side};
use super::exchange::Exchange;
use super::key::Key;
use super::rfc9209::ErrorType;
use super::scene::Scene;

/// A cause: a row of the catalogue.
pub type Cause = &'static Row;

/// Everything that is known about one cause.
pub struct Row {
    /// Its public and stable name.
    pub id: &'static str,
    /// Who failed.
    pub party: Party,
    /// The phase it belongs to; a failure seen in another phase says so itself.
    pub phase: Phase,
    /// The RFC 9209 error type; `None` where the answer is the origin's own, or there is none.
    pub error: Option<ErrorType>,
    /// What the client gets by default.
    pub standard: Status,
    /// What it gets in Cloudflare's dialect.
    pub cloudflare: Status,
    /// Whether trying again is of use.
    pub again: Again,
    /// What it means, in one or two sentences for the catalogue.
    pub meaning: &'static str,
    /// What happened, in one sentence: a template, where `{name}` stands for a fact (a [`Key`], or
    /// one of `next_hop`, `upstream`, `route`, `attempts`, `waited`) and a part in `[…]` is left
    /// out when a fact in it is missing.
    pub says: &'static str,
    /// What to do about it, likewise.
    pub remedy: &'static str,
    /// The `details` parameter, likewise; only facts that may leave on the wire.
    pub details: &'static str,
    /// The evidence without which the verdict is only likely, all of it. A verdict that can never
    /// be proved asks for a piece of evidence that nothing supplies yet.
    pub proof: &'static [Key],
    /// What other systems call it: the system and its word.
    pub elsewhere: &'static [(&'static str, &'static str)],
    /// Whether this row is the verdict on a failure. Rows that only a filter names use
    /// [`by_denial`].
    pub when: fn(&Scene<'_>) -> bool,
    /// An exchange that this row is the verdict on.
    pub witness: fn() -> Exchange,
}

/// What becomes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// This status is sent.
    Code(u16),
    /// The origin's answer is passed on as it came.
    Pass,
    /// The header was sent already: the connection or stream is broken off.
    Abort,
    /// This status if nothing was sent yet, else the connection is broken off.
    CodeOrAbort(u16),
    /// Nobody is there to be answered: it is only logged, under this status if there is one.
    Log(Option<u16>),
}

/// Whether trying again is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Not before somebody has changed something.
    Never,
    /// At once.
    Now,
    /// After so many seconds.
    After(u32),
}

impl Status {
    /// The status to send when nothing was sent yet.
    #[must_use]
    pub const fn code(self) -> Option<u16> {
        match self {
            Self::Code(code) | Self::CodeOrAbort(code) => Some(code),
            Self::Pass | Self::Abort | Self::Log(_) => None,
        }
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.id == other.id
    }
}
impl Eq for Row {}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// The `when` of a row that only a filter names.
#[must_use]
pub fn by_denial(_: &Scene<'_>) -> bool {
    false
}

/// Rows that stand together.
struct Part {
    rows: &'static [Cause],
    /// Whether any of them can be the verdict: what is said of all of them at once.
    concern: fn(&Scene<'_>) -> bool,
}

impl Part {
    const fn new(rows: &'static [Cause], concern: fn(&Scene<'_>) -> bool) -> Self {
        Self { rows, concern }
    }
}

/// All rows, in order of precedence.
static PARTS: [Part; 8] = [
    Part::new(client::ROWS, client::concern),
    Part::new(proxy::ROWS, proxy::concern),
    Part::new(path::ROWS, path::concern),
    Part::new(tls::ROWS, tls::concern),
    Part::new(certificate::ROWS, certificate::concern),
    Part::new(send::ROWS, |_| true),
    Part::new(answer::ROWS, |_| true),
    Part::new(body::ROWS, |_| true),
];

/// Every cause, in order of precedence.
pub static CATALOGUE: LazyLock<Vec<Cause>> =
    LazyLock::new(|| PARTS.iter().flat_map(|part| part.rows).copied().collect());

/// The first cause whose `when` holds.
pub(super) fn first(scene: &Scene<'_>) -> Option<Cause> {
    let parts = PARTS.iter().filter(|part| (part.concern)(scene));
    parts.flat_map(|part| part.rows).copied().find(|row| (row.when)(scene))
}

/// The cause with this id.
#[must_use]
pub fn find(id: &str) -> Option<Cause> {
    CATALOGUE.iter().copied().find(|row| row.id == id)
}

/// The id that comes nearest to a mistaken one, if any comes near.
#[must_use]
pub fn nearest(id: &str) -> Option<&'static str> {
    nearer(id, CATALOGUE.iter().map(|row| row.id))
}

/// The word that comes nearest to a mistaken one, with at most a third of it mistaken.
pub(crate) fn nearer<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let near = |other: &&str| distance(word.as_bytes(), other.as_bytes());
    words.min_by_key(near).filter(|other| near(other) * 3 <= other.len().max(3))
}

/// How many bytes to insert, drop or replace to make `b` of `a` (Levenshtein's distance).
fn distance(a: &[u8], b: &[u8]) -> usize {
    // No id is longer than this; what is longer by far is nobody's slip of the pen.
    let a = &a[..a.len().min(64)];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A cause's place in the catalogue.
#[must_use]
pub fn index(cause: Cause) -> usize {
    let address = std::ptr::from_ref(cause).addr();
    match PLACES.binary_search_by_key(&address, |(address, _)| *address) {
        Ok(found) => PLACES[found].1,
        Err(_) => {
            // A row that differs from the catalogue's in its status only.
            CATALOGUE
                .iter()
                .position(|row| *row == cause)
                .expect("every row stands in the catalogue")
        }
    }
}

/// The places of all causes by where their rows lie, in order.
static PLACES: LazyLock<Vec<(usize, usize)>> = LazyLock::new(|| {
    let mut places: Vec<_> = CATALOGUE
        .iter()
        .enumerate()
        .map(|(place, row)| (std::ptr::from_ref(*row).addr(), place))
        .collect();
    places.sort_unstable();
    places
});

/// Declares the rows of one file: a public static for each, and `ROWS`, all of them in order.
macro_rules! rows {
    ($($(#[$meta:meta])* $name:ident = $row:expr;)+) => {
        $(#[doc = concat!("See the row's `meaning`.")] $(#[$meta])* pub static $name: Row = $row;)+
        pub(super) static ROWS: &[Cause] = &[$(&$name,)+];
    };
}
pub(crate) use rows;
