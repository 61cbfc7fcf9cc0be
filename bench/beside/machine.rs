//! Where and when it was measured.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::figures::Figures;

/// The folder that a whole run is kept in: by date and kind of machine.
pub(crate) fn folder() -> PathBuf {
    let date = jiff::Zoned::now().date();
    let mut machine = String::new();
    for letter in format!("{} {} cores", processor(), cores()).to_lowercase().chars() {
        if letter.is_ascii_alphanumeric() {
            machine.push(letter);
        } else if !machine.ends_with('-') {
            machine.push('-');
        }
    }
    crate::project().join("bench/runs").join(format!("{date}-{machine}"))
}

/// The same as data.
pub(crate) fn facts() -> Value {
    json!({
        "date": jiff::Zoned::now().date().to_string(),
        "processor": processor(),
        "cores": cores(),
        "system": system(),
    })
}

/// A line for people.
pub(crate) fn describe(figures: &Figures) -> String {
    let date = jiff::Zoned::now().date();
    let versions: Vec<String> =
        figures.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let mut text = format!(
        "{date}, {}, {} cores, {}\n{}",
        processor(),
        cores(),
        system(),
        versions.join(", ")
    );
    for (name, reason) in &figures.left_out {
        let _ = write!(text, "\nleft out: {name}, {reason}");
    }
    text
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
    name.trim().to_owned()
}

/// How many cores there are, whatever this process may use of them.
pub(crate) fn cores() -> usize {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().filter(|line| line.starts_with("processor")).count()
}

fn system() -> String {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let release: Vec<&str> = release.split(['.', '-']).take(2).collect();
    format!("{} {}", uname.sysname().to_string_lossy(), release.join("."))
}
