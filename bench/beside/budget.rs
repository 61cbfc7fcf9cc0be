//! What whodunit may cost at most, and what it does cost.

use std::fmt::Write as _;

use crate::figures::{Figures, number};
use crate::flood::Flood;

/// A line: what, at most how much, and how to find it.
struct Budget {
    what: &'static str,
    at_most: f64,
    unit: &'static str,
    found: fn(&Figures) -> Option<f64>,
}

const BUDGETS: &[Budget] = &[
    Budget {
        what: "small GET",
        at_most: 1.05,
        unit: "x bare",
        found: |f| against(f, "small", "bare"),
    },
    Budget {
        what: "small GET",
        at_most: 0.70,
        unit: "x envoy",
        found: |f| against(f, "small", "envoy"),
    },
    Budget {
        what: "5xx passed on",
        at_most: 1.12,
        unit: "x bare",
        found: |f| against(f, "passed", "bare"),
    },
    Budget {
        what: "5xx passed on",
        at_most: 0.75,
        unit: "x envoy",
        found: |f| against(f, "passed", "envoy"),
    },
    Budget {
        what: "502 generated",
        at_most: 1.00,
        unit: "x nginx",
        found: |f| against(f, "dead", "nginx"),
    },
    Budget {
        what: "502 generated",
        at_most: 0.80,
        unit: "x envoy",
        found: |f| against(f, "dead", "envoy"),
    },
    Budget {
        what: "body of 1 MiB",
        at_most: 1.03,
        unit: "x bare",
        found: |f| against(f, "large", "bare"),
    },
    Budget {
        what: "1,000 routes against 1",
        at_most: 1.02,
        unit: "x",
        found: |f| f.ratio(("routes", "whodunit"), ("small", "whodunit")),
    },
    Budget {
        what: "memory per idle connection",
        at_most: 12.0,
        unit: "KiB",
        found: |f| kib(&f.idle).map(|bytes| bytes / 1024.0),
    },
    Budget {
        what: "memory at start",
        at_most: 20.0,
        unit: "MiB",
        found: |f| kib(&f.at_start).map(|kib| kib / 1024.0),
    },
    Budget {
        what: "healthy p99 beside 2,000 failures/s",
        at_most: 1.5,
        unit: "x quiet",
        found: |f| own(f).map(|flood| flood.paced.p99 / flood.quiet.p99),
    },
    Budget {
        what: "healthy p99, core full of failures",
        at_most: 1.5,
        unit: "x good",
        found: |f| own(f).map(|flood| flood.failing.p99 / flood.busy.p99),
    },
    Budget {
        what: "aim: small GET",
        at_most: 0.90,
        unit: "x bare",
        found: |f| against(f, "small", "bare"),
    },
    Budget {
        what: "aim: small GET",
        at_most: 1.25,
        unit: "x nginx",
        found: |f| against(f, "small", "nginx"),
    },
];

fn own(figures: &Figures) -> Option<&Flood> {
    figures.floods.iter().find(|flood| flood.name == "whodunit")
}

fn against(figures: &Figures, scene: &str, peer: &str) -> Option<f64> {
    figures.ratio((scene, "whodunit"), (scene, peer))
}

fn kib(values: &[(&'static str, u64)]) -> Option<f64> {
    values.iter().find(|(name, _)| *name == "whodunit").map(|(_, value)| number(*value))
}

/// Each budget and whether it is kept.
pub(crate) fn render(figures: &Figures) -> String {
    let mut text = String::from("budgets\n");
    for Budget { what, at_most, unit, found } in BUDGETS {
        let Some(found) = found(figures) else { continue };
        let verdict = if found <= *at_most { "kept" } else { "MISSED" };
        let _ =
            writeln!(text, "  {what:<35} {found:>7.2} {unit:<8} at most {at_most:>5.2}  {verdict}");
    }
    text
}
