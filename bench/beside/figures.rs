//! What was measured.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::flood::Flood;
use crate::load::Outcome;

/// All of it.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) versions: Vec<(&'static str, String)>,
    pub(crate) left_out: Vec<(&'static str, String)>,
    /// KiB.
    pub(crate) at_start: Vec<(&'static str, u64)>,
    pub(crate) samples: Vec<Sample>,
    /// Bytes a connection.
    pub(crate) idle: Vec<(&'static str, u64)>,
    pub(crate) floods: Vec<Flood>,
}

/// One scene with one proxy in one round.
pub(crate) struct Sample {
    pub(crate) scene: &'static str,
    pub(crate) peer: &'static str,
    round: u32,
    /// CPU microseconds per request.
    pub(crate) cpu: f64,
    outcome: Outcome,
    /// KiB.
    peak: u64,
}

/// The median of the rounds, and the least and the most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// A column of the samples.
pub(crate) type Column = fn(&Sample) -> f64;

/// The columns, as they are named.
pub(crate) const CPU: Column = |sample| sample.cpu;
pub(crate) const RATE: Column = |sample| sample.outcome.per_second;
pub(crate) const P50: Column = |sample| sample.outcome.p50;
pub(crate) const P99: Column = |sample| sample.outcome.p99;
pub(crate) const PEAK: Column = |sample| number(sample.peak) / 1_024.0;

impl Sample {
    pub(crate) fn new(
        scene: &'static str,
        peer: &'static str,
        round: u32,
        cpu: Duration,
        outcome: &Outcome,
        peak: u64,
    ) -> Self {
        let cpu = cpu.as_secs_f64() * 1e6 / number(outcome.requests);
        Self { scene, peer, round, cpu, outcome: outcome.clone(), peak }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scene, peer, round, cpu, outcome, .. } = self;
        let rate = outcome.per_second;
        write!(f, "{scene:<8} round {} {peer:<9} {cpu:>7.1} µs {rate:>9.0}/s", round + 1)
    }
}

impl Figures {
    /// A column over the rounds of a scene with a proxy.
    pub(crate) fn spread(&self, scene: &str, peer: &str, column: Column) -> Option<Spread> {
        let of = |sample: &&Sample| sample.scene == scene && sample.peer == peer;
        let mut values: Vec<f64> = self.samples.iter().filter(of).map(column).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Spread { median, least, most })
    }

    /// How a proxy's CPU time stands to another's: the median of the rounds' ratios, as what
    /// disturbs a round disturbs both.
    pub(crate) fn ratio(&self, of: (&str, &str), to: (&str, &str)) -> Option<f64> {
        let find = |(scene, peer): (&str, &str), round| {
            let found = self
                .samples
                .iter()
                .find(|s| (s.scene, s.peer) == (scene, peer) && s.round == round);
            found.map(|sample| sample.cpu)
        };
        let rounds = self.samples.iter().map(|sample| sample.round).max()? + 1;
        let mut ratios: Vec<f64> =
            (0..rounds).filter_map(|round| Some(find(of, round)? / find(to, round)?)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied()
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = &'static str> {
        self.versions.iter().map(|(name, _)| *name)
    }

    /// Everything, round by round.
    pub(crate) fn json(&self) -> String {
        let samples = self.samples.iter().map(|s| {
            json!({
                "scene": s.scene, "proxy": s.peer, "round": s.round + 1,
                "cpu_us_per_request": s.cpu, "requests": s.outcome.requests,
                "requests_per_second": s.outcome.per_second,
                "p50_us": s.outcome.p50, "p99_us": s.outcome.p99, "peak_kib": s.peak,
                "broken": s.outcome.broken,
            })
        });
        let floods = self.floods.iter().map(|f| {
            let latency = |l: crate::flood::Latency| json!({ "p50_us": l.p50, "p99_us": l.p99 });
            json!({
                "proxy": f.name, "quiet": latency(f.quiet), "paced": latency(f.paced), "busy": latency(f.busy),
                "failing": latency(f.failing),
                "memory_kib": [f.memory_before, f.memory_after],
            })
        });
        let map = |pairs: &[(&'static str, u64)]| -> serde_json::Value {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
        };
        let value = json!({
            "machine": crate::machine::facts(),
            "versions": self.versions.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "memory_at_start_kib": map(&self.at_start),
            "bytes_per_idle_connection": map(&self.idle),
            "samples": samples.collect::<Vec<_>>(),
            "floods": floods.collect::<Vec<_>>(),
        });
        format!("{value:#}\n")
    }
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}
