//! The cells of the matrix: a fault, and a way to it.

use std::collections::{HashMap, HashSet};
use std::fmt;

use whodunit::lab::{self, Fault, Needs};

use super::ways::Way;
use crate::causes::Case;

/// One fault by one way in.
#[derive(Clone)]
pub(super) struct Cell {
    /// What it is: an id of the catalogue.
    pub(super) cause: &'static str,
    /// Others that are as right, as the kernel decides.
    pub(super) also: &'static [&'static str],
    pub(super) how: How,
}

/// How a fault is made.
#[derive(Clone)]
pub(super) enum How {
    /// By the lab behind the proxy that all share.
    Lab(&'static Fault, Way),
    /// By a case of the other tests, before a proxy of its own.
    Alone(Case),
    /// By another test, in a network or before a server of its own.
    Apart(String),
}

/// What was said of it.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// A cause of the catalogue.
    Cause(String),
    /// Nothing: it passed for good.
    Nothing,
    /// Something that must not be, whatever the cause.
    Broken(String),
    /// It could not be made here.
    Skipped(String),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::Lab(fault, way) => write!(f, "{} ({way})", fault.name),
            How::Alone(case) => write!(f, "causes::{}", case.name),
            How::Apart(test) => f.write_str(test),
        }
    }
}

/// The faults of the lab, by every way in.
fn by_every_way() -> Vec<Cell> {
    let faults = lab::table().iter().filter(|fault| is_told(fault));
    let cells = faults.flat_map(|fault| {
        let ways = Way::to(fault).into_iter();
        ways.map(|way| Cell { cause: fault.cause, also: fault.also, how: How::Lab(fault, way) })
    });
    cells.collect()
}

/// The same in small: of the faults that have one cause, one goes all ways that `fits` and the
/// others the plainest of them.
fn one_of_a_cause(fits: impl Fn(Way) -> bool) -> Vec<Cell> {
    let mut gone = HashMap::new();
    let mut met = HashSet::new();
    let mut cells = by_every_way();
    cells.retain(|cell| {
        let How::Lab(fault, way) = &cell.how else { return false };
        if !fits(*way) {
            return false;
        }
        let first = met.insert(fault.name);
        if first && fault.also.is_empty() {
            gone.entry(fault.cause).or_insert(fault.name);
        }
        first || gone.get(fault.cause) == Some(&fault.name)
    });
    cells
}

/// Few enough to be made with each run of the tests.
pub(super) fn in_small() -> Vec<Cell> {
    one_of_a_cause(|way| !way.http2 || !way.second && !way.large)
}

/// All there is; of HTTP/2 from clients, each cause by every way.
pub(super) fn all() -> Vec<Cell> {
    let alone = crate::causes::all();
    let alone = alone.into_iter().map(|case| (case.cause, How::Alone(case)));
    let apart = crate::apart::PRODUCED.iter().map(|cause| (format!("apart::{cause}"), *cause));
    let apart = apart.chain(crate::network::told()).chain(crate::strangers::all());
    let apart = apart.map(|(test, cause)| (cause, How::Apart(test)));
    let others = alone.chain(apart).map(|(cause, how)| Cell { cause, also: &[], how });
    let plain = |cell: &Cell| !matches!(cell.how, How::Lab(_, way) if way.http2);
    let lab = by_every_way().into_iter().filter(plain).chain(one_of_a_cause(|way| way.http2));
    lab.chain(others).collect()
}

/// Whether the proxy tells it rightly. One that stays full for so long is left to the cases, each
/// of which has one of its own.
fn is_told(fault: &Fault) -> bool {
    !crate::lab::UNTOLD.iter().any(|(name, _)| *name == fault.name)
        && !fault.needs.contains(&Needs::Before)
}
