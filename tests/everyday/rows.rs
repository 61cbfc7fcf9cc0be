//! The table.

mod answers;
mod bodies;
mod broken;
mod connections;
mod fields;
mod files;
mod requests;
mod targets;
mod uploads;

use super::row::Row;

/// The rows by theme.
pub(super) fn parts() -> Vec<(&'static str, Vec<Row>)> {
    vec![
        ("What the origin answers", answers::rows()),
        ("How its answers end", bodies::rows()),
        ("Files: ranges and conditions", files::rows()),
        ("Methods and versions", requests::rows()),
        ("Bodies that go up", uploads::rows()),
        ("Targets and hosts", targets::rows()),
        ("Fields", fields::rows()),
        ("Connections", connections::rows()),
        ("Requests that break a rule", broken::rows()),
    ]
}

/// All of them.
pub(super) fn all() -> Vec<Row> {
    parts().into_iter().flat_map(|(_, rows)| rows).collect()
}

/// So many bytes that no compression could work with, among them each there is.
fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}
