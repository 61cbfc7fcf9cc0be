//! What the process has to say to its operator while it runs, on standard error.

use std::io::Write as _;

/// Says one line. A standard error that is closed is nobody's to tell.
pub fn say(line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
