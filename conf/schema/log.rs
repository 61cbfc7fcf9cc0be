//! `log`: which requests are recorded, and where.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whodunit_filters::units::{Size, Span};

use crate::sections::Redact;

/// The log of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The file to append to. Default: standard output.
    pub path: Option<PathBuf>,
    /// Which requests get a record.
    pub which: Which,
    /// With `which: sample`, the share of the requests without an error that get a record, from 0
    /// to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_rate: f64,
    /// The query parameters whose values are replaced; case does not matter.
    pub redact: Redact,
    /// When the file is replaced by a fresh one.
    pub rotate: Rotate,
    /// How many records may wait to be written; those beyond are dropped and counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub queue: u32,
}

/// Which requests get a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Those that failed.
    #[default]
    Errors,
    /// Every one.
    All,
    /// Those that failed, and a share of the others.
    Sample,
}

/// When the log's file is replaced by a fresh one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotate {
    /// Once it would grow beyond this. Null: never.
    pub size: Option<Size>,
    /// Once it is this old. Null: never.
    pub age: Option<Span>,
    /// How many old files are kept beside it.
    #[schemars(range(max = 10_000))]
    pub keep: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            path: None,
            which: Which::default(),
            sample_rate: 0.01,
            redact: Redact::default(),
            rotate: Rotate::default(),
            queue: 8192,
        }
    }
}

impl Default for Rotate {
    fn default() -> Self {
        Self { size: Some(Size(100 << 20)), age: None, keep: 5 }
    }
}
