//! The matrix as a picture.

use std::fmt::Write;

use super::matrix::{Matrix, Row};

/// The side of a cell, and how much room the names need.
const SIDE: usize = 11;
const NAMES: usize = 230;
const TOP: usize = 46;

const STYLE: &str = "\
    text { font: 9px ui-sans-serif, system-ui, sans-serif; fill: #24292f }\
    .title { font-size: 14px; font-weight: 600 }\
    .none { fill: #eaeef2 } .right { fill: #1a7f37 } .wrong { fill: #cf222e }\
    @media (prefers-color-scheme: dark) {\
    text { fill: #e6edf3 } .none { fill: #21262d } .right { fill: #3fb950 } .wrong { fill: #f85149 } }";

/// The picture: a row for what was made, a column for what was said. It follows the reader's choice
/// of light or dark, and says in words what it shows.
pub(super) fn of(matrix: &Matrix) -> String {
    let rows = matrix.rows();
    // What is said though it was never made has columns after the others.
    let mut said: Vec<String> = rows.iter().map(|row| row.cause.to_owned()).collect();
    for (other, _) in rows.iter().flat_map(|row| &row.wrong) {
        if !said.contains(other) {
            said.push(other.clone());
        }
    }
    let (made, right): (usize, usize) =
        rows.iter().fold((0, 0), |(made, right), row| (made + row.made, right + row.right));
    let words = format!(
        "{made} faults of {} causes were made on real sockets; the verdict on {right} was right.",
        rows.len()
    );
    let (across, down, side) = (said.len() * SIDE, rows.len() * SIDE, SIDE - 1);
    let (width, height) = (NAMES + across + 110, TOP + down + 16);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">What was made, and what was said</title>\n\
         <desc id=\"desc\">{words} Each row is a cause that was made, each column one that was \
         said, in the same order: what is right lies on the diagonal.</desc>\n\
         <style>{STYLE}</style>\n\
         <pattern id=\"grid\" x=\"{NAMES}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\" \
         patternUnits=\"userSpaceOnUse\"><rect class=\"none\" width=\"{side}\" height=\"{side}\"/></pattern>\n\
         <rect x=\"{NAMES}\" y=\"{TOP}\" width=\"{across}\" height=\"{down}\" fill=\"url(#grid)\"/>\n\
         <text class=\"title\" x=\"8\" y=\"20\">{words}</text>\n\
         <text x=\"{}\" y=\"36\" text-anchor=\"end\">made ↓</text>\n\
         <text x=\"{NAMES}\" y=\"36\">said, in the same order →</text>\n",
        NAMES - 6
    );
    for (nth, row) in rows.iter().enumerate() {
        line(&mut svg, nth, row, &said);
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, nth: usize, row: &Row, said: &[String]) {
    let y = TOP + nth * SIDE;
    let mut cells = String::new();
    for (column, other) in said.iter().enumerate() {
        let is_right = *other == row.cause;
        let wrong = row.wrong.iter().find(|(said, _)| said == other).map(|(_, count)| *count);
        let count = wrong.unwrap_or(if is_right { row.right } else { 0 });
        if count == 0 {
            continue;
        }
        let class = if is_right { "right" } else { "wrong" };
        let (x, side) = (NAMES + column * SIDE, SIDE - 1);
        write!(
            cells,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\">\
             <title>{} made, {other} said: {count}</title></rect>",
            row.cause
        )
        .expect("a string takes it");
    }
    let (end, base) = (NAMES + said.len() * SIDE + 6, y + SIDE - 3);
    writeln!(
        svg,
        "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>{cells}\
         <text x=\"{end}\" y=\"{base}\">{} of {}, {} way{}</text>",
        NAMES - 6,
        row.cause,
        row.right,
        row.made,
        row.ways,
        if row.ways == 1 { "" } else { "s" }
    )
    .expect("a string takes it");
}
