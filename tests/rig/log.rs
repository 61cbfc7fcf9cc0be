//! The proxy's log, as it is written.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::until;

/// The file of records.
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it is.
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap_or_default()
    }

    /// How many whole lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.text().matches('\n').count()
    }

    /// All whole records so far. A line that is no JSON object fails the test.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = self.text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| match serde_json::from_str(line) {
                Ok(Value::Object(record)) => Value::Object(record),
                other => panic!("a line of the log is no record: {line:?} ({other:?})"),
            })
            .collect()
    }

    /// Waits until there are at least `count` records.
    pub(crate) fn wait(&self, count: usize) -> Vec<Value> {
        until(&format!("record number {count} in the log"), || {
            Some(self.records()).filter(|records| records.len() >= count)
        })
    }
}
