//! What was made against what was said.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;
use whodunit_filters::attribution::cause::CATALOGUE;

use super::cells::{Cell, How, Said};
use super::healthy::Health;
use crate::causes::UNPRODUCED;

/// What it is called when nothing is said.
const NOTHING: &str = "(nothing)";
/// What it is called when what was said contradicts itself.
const BROKEN: &str = "(broken)";

/// The confusion matrix, and what is to be said about it.
#[derive(Default)]
pub(super) struct Matrix {
    /// How often a cause was made and another, or the same, was said.
    counts: BTreeMap<(&'static str, String), usize>,
    /// By cause: how many ways in there were.
    ways: BTreeMap<&'static str, BTreeMap<String, usize>>,
    complaints: Vec<String>,
    skipped: BTreeMap<String, String>,
    took: Vec<f64>,
    unwell: Vec<String>,
    made: usize,
}

/// A row of the matrix: a cause, how often it was made, and how often that was said.
pub(super) struct Row {
    pub(super) cause: &'static str,
    pub(super) made: usize,
    pub(super) right: usize,
    /// What else was said, and how often.
    pub(super) wrong: Vec<(String, usize)>,
    /// By how many ways in.
    pub(super) ways: usize,
}

impl Matrix {
    /// Takes down what was said of a cell.
    pub(super) fn add(&mut self, cell: &Cell, said: Said) {
        let (made, said) = match said {
            Said::Skipped(why) => {
                self.skipped.insert(cell.to_string(), why);
                return;
            }
            Said::Nothing => (cell.cause, NOTHING.to_owned()),
            Said::Broken(what) => {
                self.complaints.push(format!("{cell}: {what}"));
                (cell.cause, BROKEN.to_owned())
            }
            // Where the kernel decides, what is said is what was made.
            Said::Cause(said) => match cell.also.iter().find(|also| **also == said) {
                Some(also) => (*also, said),
                None => (cell.cause, said),
            },
        };
        if said != made && said != BROKEN {
            self.complaints.push(format!("{cell}: `{said}`, not `{made}`"));
        }
        let way = match &cell.how {
            How::Lab(_, way) => way.to_string(),
            How::Alone(_) | How::Apart(_) => "as in its own test".to_owned(),
        };
        *self.ways.entry(made).or_default().entry(way).or_default() += 1;
        *self.counts.entry((made, said)).or_default() += 1;
        self.made += 1;
    }

    /// Takes down how the healthy traffic fared.
    pub(super) fn healthy(&mut self, health: Health) {
        if health.took.is_empty() {
            self.unwell.push("there was no healthy traffic".to_owned());
        }
        self.took.extend(health.took);
        self.took.sort_by(f64::total_cmp);
        self.unwell.extend(health.wrong);
    }

    /// Every cause of the catalogue must have been made, but for those that wait with a reason.
    pub(super) fn complete(&mut self) {
        let skipped = !self.skipped.is_empty();
        for row in CATALOGUE.iter() {
            let made = self.ways.contains_key(row.id);
            let waits = ELSEWHERE.iter().chain(UNPRODUCED).any(|(id, _)| *id == row.id);
            if !made && !waits && !skipped {
                self.complaints.push(format!("{}: nothing made it", row.id));
            }
        }
    }

    /// How many faults were made.
    pub(super) fn made(&self) -> usize {
        self.made
    }

    /// How many were told wrongly.
    pub(super) fn wrong(&self) -> usize {
        self.complaints.len()
    }

    /// Whether nothing is wrong.
    pub(super) fn is_right(&self) -> bool {
        self.complaints.is_empty() && self.unwell.is_empty()
    }

    /// All that is wrong.
    pub(super) fn complaints(&self) -> String {
        let unwell = self.unwell.iter().map(|what| format!("healthy traffic: {what}"));
        let all: Vec<String> = self.complaints.iter().cloned().chain(unwell).collect();
        format!("{} of {} faults:\n{}", self.wrong(), self.made, all.join("\n"))
    }

    /// The rows in the order of the catalogue.
    pub(super) fn rows(&self) -> Vec<Row> {
        let ids = CATALOGUE.iter().map(|row| row.id);
        ids.filter_map(|cause| {
            let ways = self.ways.get(cause)?;
            let said = |(_, count): (&(&str, String), &usize)| *count;
            let here = || self.counts.iter().filter(|((made, _), _)| *made == cause);
            let wrong = here().filter(|((_, said), _)| said != cause);
            Some(Row {
                cause,
                made: here().map(said).sum(),
                right: here().filter(|((_, said), _)| said == cause).map(said).sum(),
                wrong: wrong.map(|((_, said), count)| (said.clone(), *count)).collect(),
                ways: ways.len(),
            })
        })
        .collect()
    }

    /// The milliseconds within which this share of the healthy requests was answered.
    fn within(&self, share: usize) -> f64 {
        let at = (self.took.len() * share / 100).min(self.took.len().saturating_sub(1));
        self.took.get(at).map_or(0.0, |ms| (ms * 10.0).round() / 10.0)
    }

    /// As text: a row for each cause made, with what was said.
    pub(super) fn text(&self) -> String {
        let mut text =
            format!("{:34} {:>5} {:>5} {:>5}  said instead\n", "made", "ways", "times", "right");
        for Row { cause, made, right, wrong, ways } in self.rows() {
            let wrong: Vec<String> = wrong.iter().map(|(said, n)| format!("{said} {n}")).collect();
            writeln!(text, "{cause:34} {ways:>5} {made:>5} {right:>5}  {}", wrong.join(", "))
                .expect("a string takes it");
        }
        for (cell, why) in &self.skipped {
            writeln!(text, "skipped: {cell}: {why}").expect("a string takes it");
        }
        for (cause, why) in UNPRODUCED {
            writeln!(text, "not yet: {cause}: {why}").expect("a string takes it");
        }
        writeln!(
            text,
            "healthy beside it: {} requests, {} failed; half within {} ms, 99 % within {} ms",
            self.took.len() + self.unwell.len(),
            self.unwell.len(),
            self.within(50),
            self.within(99),
        )
        .expect("a string takes it");
        text
    }

    /// As JSON.
    pub(super) fn json(&self, seed: u64, rounds: u64) -> String {
        let rows: Vec<_> = self
            .rows()
            .into_iter()
            .map(|row| {
                let wrong: BTreeMap<_, _> = row.wrong.into_iter().collect();
                let ways = &self.ways[row.cause];
                json!({ "cause": row.cause, "made": row.made, "right": row.right,
                        "said_instead": wrong, "ways": ways })
            })
            .collect();
        let list = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter().map(|(id, why)| ((*id).to_owned(), (*why).to_owned())).collect()
        };
        let document = json!({
            "seed": seed,
            "rounds": rounds,
            "made": self.made,
            "wrong": self.wrong(),
            "causes": rows,
            "not_yet": list(UNPRODUCED),
            "made_elsewhere": list(ELSEWHERE),
            "skipped": self.skipped,
            "healthy": {
                "requests": self.took.len() + self.unwell.len(),
                "failed": self.unwell.len(),
                "median_ms": self.within(50),
                "p99_ms": self.within(99),
            },
        });
        format!("{document:#}\n")
    }
}

/// The causes that other tests make and this one does not, each with where.
const ELSEWHERE: &[(&str, &str)] = crate::causes::ELSEWHERE;
