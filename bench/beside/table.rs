//! The figures as a table.

use std::fmt::Write as _;

use crate::figures::{CPU, Figures, P50, P99, PEAK, RATE, number};
use crate::scene::Scene;

/// All scenes, each with all proxies.
pub(crate) fn render(figures: &Figures) -> String {
    let mut text = String::new();
    for scene in Scene::all() {
        let mut rows = Vec::new();
        for peer in figures.peers() {
            let Some(cpu) = figures.spread(scene.name, peer, CPU) else { continue };
            let median =
                |column| figures.spread(scene.name, peer, column).map_or(0.0, |s| s.median);
            let bare = figures
                .ratio((scene.name, peer), (scene.name, "bare"))
                .map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
            let spread = format!("{:.1}-{:.1}", cpu.least, cpu.most);
            rows.push(format!(
                "  {peer:<9} {:>8.1} {spread:>15} {bare:>7} {:>10.0} {:>9.2} {:>9.2} {:>7.1}",
                cpu.median,
                median(RATE),
                median(P50) / 1e3,
                median(P99) / 1e3,
                median(PEAK),
            ));
        }
        if !rows.is_empty() {
            let _ = writeln!(
                text,
                "{}\n  {:<9} {:>8} {:>15} {:>7} {:>10} {:>9} {:>9} {:>7}\n{}\n",
                scene.title,
                "",
                "CPU µs",
                "least-most",
                "x bare",
                "requests/s",
                "p50 ms",
                "p99 ms",
                "MiB",
                rows.join("\n")
            );
        }
    }
    memory(figures, &mut text);
    flood(figures, &mut text);
    text
}

fn memory(figures: &Figures, text: &mut String) {
    let _ = writeln!(
        text,
        "memory\n  {:<9} {:>12} {:>24}",
        "", "at start MiB", "per idle connection KiB"
    );
    for (peer, start) in &figures.at_start {
        let idle = figures.idle.iter().find(|(name, _)| name == peer);
        let idle =
            idle.map_or("-".to_owned(), |(_, bytes)| format!("{:.1}", number(*bytes) / 1024.0));
        let _ = writeln!(text, "  {peer:<9} {:>12.1} {idle:>24}", number(*start) / 1024.0);
    }
}

fn flood(figures: &Figures, text: &mut String) {
    if figures.floods.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\na healthy upstream's latency (p50 / p99 in ms): alone, while 1,000 connections ask for a dead\n\
         one 2,000 times a second, while they ask for the healthy one as fast as they can, and so for\n\
         the dead one; memory in MiB before and after that\n  \
         {:<9} {:>15} {:>15} {:>17} {:>17} {:>15}",
        "", "quiet", "2,000 failures/s", "all good", "all failing", "memory"
    );
    for flood in &figures.floods {
        let latency = |l: crate::flood::Latency| format!("{:.2} / {:.2}", l.p50 / 1e3, l.p99 / 1e3);
        let memory = format!(
            "{:.1} - {:.1}",
            number(flood.memory_before) / 1024.0,
            number(flood.memory_after) / 1024.0
        );
        let _ = writeln!(
            text,
            "  {:<9} {:>15} {:>16} {:>17} {:>17} {memory:>15}",
            flood.name,
            latency(flood.quiet),
            latency(flood.paced),
            latency(flood.busy),
            latency(flood.failing)
        );
    }
}
