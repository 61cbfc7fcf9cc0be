//! The figures as a picture: CPU time per request, a group of bars a scene.

use std::fmt::Write as _;

use crate::figures::{CPU, Figures};
use crate::scene::Scene;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 110.0;
const BAR: f64 = 16.0;

/// An SVG that reads on light and on dark ground.
pub(crate) fn draw(figures: &Figures) -> String {
    let mut body = String::new();
    let mut y = 40.0;
    for scene in Scene::all() {
        let bars: Vec<_> = figures
            .peers()
            .filter_map(|peer| Some((peer, figures.spread(scene.name, peer, CPU)?)))
            .collect();
        let most = bars.iter().map(|(_, spread)| spread.most).fold(0.0, f64::max);
        if bars.is_empty() {
            continue;
        }
        let _ = writeln!(body, "<text x=\"10\" y=\"{y}\" class=\"title\">{}</text>", scene.title);
        y += 8.0;
        let scale = (WIDTH - LEFT - 130.0) / most;
        for (peer, spread) in bars {
            let (width, middle) = (spread.median * scale, y + BAR / 2.0);
            let class = if peer == "whodunit" { "own" } else { "other" };
            let _ = writeln!(
                body,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{peer}</text>\
                 <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\"/>\
                 <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{:.1} µs</text>",
                LEFT - 8.0,
                y + 12.0,
                BAR - 3.0,
                LEFT + spread.least * scale,
                LEFT + spread.most * scale,
                LEFT + spread.most * scale + 6.0,
                y + 12.0,
                spread.median
            );
            y += BAR;
        }
        y += 30.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\" \
         aria-label=\"CPU time per request of whodunit and other proxies\">\n\
         <style>text{{font:12px sans-serif;fill:#555}} .title{{font-weight:bold}} \
         .own{{fill:#c2410c}} .other{{fill:#94a3b8}} line{{stroke:#1e293b;stroke-width:1.5}}\n\
         @media (prefers-color-scheme: dark){{text{{fill:#bbb}} line{{stroke:#e2e8f0}} \
         .other{{fill:#64748b}}}}</style>\n\
         <text x=\"10\" y=\"16\" class=\"title\">CPU time of the proxy per request: the median, and \
         the least and most of the rounds</text>\n{body}</svg>\n"
    )
}
