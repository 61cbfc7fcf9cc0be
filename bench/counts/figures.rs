//! The committed figures, and the comparison with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::allocator::Tally;

/// How far a figure may be off, either way, in percent.
const TOLERANCE: f64 = 5.0;

/// The figures of one part.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Figures {
    /// `None` where they were not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instructions: Option<u64>,
    allocations: u64,
    bytes: u64,
}

/// All figures, and what they depend on besides the code.
#[derive(Debug, Deserialize)]
pub(crate) struct Committed {
    rustc: String,
    target: String,
    pub(crate) parts: BTreeMap<String, Figures>,
}

/// The outcome of a comparison.
pub(crate) struct Comparison {
    /// The table, and what to do.
    pub(crate) told: String,
    /// Whether every figure is near enough.
    pub(crate) holds: bool,
}

impl Figures {
    pub(crate) fn new(instructions: Option<u64>, allocated: Tally) -> Self {
        Self { instructions, allocations: allocated.allocations, bytes: allocated.bytes }
    }

    /// Each figure then and now; `None` for what was not counted.
    fn pairs(self, now: Self) -> [Option<(u64, u64)>; 3] {
        [
            self.instructions.zip(now.instructions),
            Some((self.allocations, now.allocations)),
            Some((self.bytes, now.bytes)),
        ]
    }
}

impl Committed {
    /// These figures as those of this machine and compiler.
    pub(crate) fn here(parts: BTreeMap<String, Figures>) -> Self {
        let rustc = Command::new("rustc").arg("-vV").output().expect("rustc is on PATH");
        let says = String::from_utf8_lossy(&rustc.stdout).into_owned();
        let field = |name: &str| {
            let found = says.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            found.expect("rustc says what it is").to_owned()
        };
        Self { rustc: field("release"), target: field("host"), parts }
    }

    /// Those in a file.
    pub(crate) fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    /// As they are written: one part a line, so that a change of one is a change of one line.
    pub(crate) fn text(&self) -> String {
        let json = |value: &Figures| serde_json::to_string(value).expect("numbers");
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(name, value)| format!("    {name:?}: {}", json(value)))
            .collect();
        let (rustc, target) = (&self.rustc, &self.target);
        let parts = parts.join(",\n");
        format!(
            "{{\n  \"rustc\": {rustc:?},\n  \"target\": {target:?},\n  \"parts\": {{\n{parts}\n  }}\n}}\n"
        )
    }
}

/// Holds what was counted now against what was committed.
pub(crate) fn compare(committed: &Committed, now: &Committed) -> Comparison {
    let mut told = String::new();
    if committed.target != now.target {
        write!(
            told,
            "\n************************************************************************\n\
             SKIPPED: the committed figures are of {}, this is {}:\n\
             they cannot be compared. What was counted here:\n\
             ************************************************************************\n\n{}",
            committed.target,
            now.target,
            now.text(),
        )
        .expect("memory");
        return Comparison { told, holds: true };
    }
    let line = |[part, a, b, c]: [&str; 4]| format!("{part:<42} {a:>26} {b:>20} {c:>24}\n");
    told.push_str(&line(["part (committed → now)", "instructions", "allocations", "bytes"]));
    let mut worst = Vec::new();
    let names: BTreeSet<_> = committed.parts.keys().chain(now.parts.keys()).collect();
    for name in names {
        let (Some(then), Some(now)) = (committed.parts.get(name), now.parts.get(name)) else {
            let state = if now.parts.contains_key(name) { "new" } else { "gone" };
            worst.push(format!("{name}: {state}"));
            continue;
        };
        let cells = then.pairs(*now).map(|pair| pair.map_or_else(|| "-".to_owned(), cell));
        told.push_str(&line([name, &cells[0], &cells[1], &cells[2]]));
        let kinds = ["instructions", "allocations", "bytes"].iter().zip(then.pairs(*now));
        worst.extend(kinds.filter_map(|(kind, pair)| {
            let pair = pair.filter(|pair| off(*pair).abs() > TOLERANCE)?;
            Some(format!("{name}: {kind} {}", cell(pair)))
        }));
    }
    let holds = worst.is_empty();
    told.push_str(&if holds { good(now) } else { bad(&worst, committed, now) });
    Comparison { told, holds }
}

fn good(now: &Committed) -> String {
    format!("\ncounts: {} parts cost what they did, within {TOLERANCE} %\n", now.parts.len())
}

fn bad(worst: &[String], committed: &Committed, now: &Committed) -> String {
    let mut told = format!("\ncounts: off by more than {TOLERANCE} %:\n");
    for one in worst {
        writeln!(told, "  {one}").expect("memory");
    }
    if committed.rustc != now.rustc {
        let (then, now) = (&committed.rustc, &now.rustc);
        writeln!(
            told,
            "The compiler differs: rustc {now} here, {then} there. It may be that alone."
        )
        .expect("memory");
    }
    told.push_str(
        "If a part has become dearer, find out why first: `make counts TRACE=1` lists where requests\n\
         allocate. If it is meant so, or it has become cheaper, `make counts BLESS=1` commits to what\n\
         was counted now: bench/counts.json goes into the same commit as the change.\n",
    );
    told
}

/// How far off the second is from the first, in percent.
fn off((then, now): (u64, u64)) -> f64 {
    if then == now {
        return 0.0;
    }
    let [then, now] = [then, now].map(|count| u32::try_from(count).map_or(f64::MAX, f64::from));
    (now - then) / then * 100.0
}

fn cell(pair: (u64, u64)) -> String {
    let (then, now) = pair;
    if then == now { format!("{now}  =") } else { format!("{then} → {now} {:+.1} %", off(pair)) }
}
