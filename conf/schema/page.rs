//! `error_pages`: pages of the deployment's own for errors that are made here.

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::text::Host;
use crate::sections::Codes;

/// A page in place of ours, for clients that would rather have HTML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorPage {
    /// The host it is for. Default: any.
    #[serde(default)]
    pub host: Option<Host>,
    /// The statuses it is for: numbers, `4xx`, `5xx`. Of several pages that fit, the first is used.
    #[schemars(length(min = 1))]
    pub statuses: Vec<Statuses>,
    /// The file: HTML in UTF-8, 1 MiB at most. It is read when the configuration is. In it `{status}`,
    /// `{reason}`, `{cause}`, `{party}`, `{ref}`, `{time}`, `{host}`, `{says}` and `{remedy}` are
    /// replaced; without `{cause}` or `{ref}` it gets a line with both.
    pub file: PathBuf,
}

/// Statuses of errors: one, or all of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Statuses(pub Codes);

/// They may be written as text or as a bare number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u16),
    Text(String),
}

impl FromStr for Statuses {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl TryFrom<Written> for Statuses {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(code) => code.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Statuses> for String {
    fn from(statuses: Statuses) -> Self {
        statuses.0.to_string()
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "ErrorStatuses".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": "^[45]([0-9][0-9]|xx)$",
            "minimum": 400,
            "maximum": 599,
            "description": "A status from 400 to 599, `4xx` or `5xx`."
        })
    }
}
