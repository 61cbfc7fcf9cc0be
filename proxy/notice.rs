//! What the process has to say to its operator while it runs, on standard error.

use std::io::Write as _;

/// Says one line. A standard error that is closed is nobody's to tell.
pub fn say(line: &str) {
    let plain = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    // In one piece: a process and its successor may speak in the same place.
    let line: String = plain.chain(['\n']).collect();
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}
