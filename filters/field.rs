//! Names of header fields as settings.

use std::borrow::Cow;

use http::HeaderName;
use http::header;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The name of a header field, remembered as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldName {
    written: Cow<'static, str>,
    name: HeaderName,
}

/// Fields that say how a message is read, and can hold nothing else.
const TAKEN: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

impl FieldName {
    pub(crate) fn from_static(written: &'static str) -> Self {
        let name = written.parse().expect("a field's name");
        Self { written: written.into(), name }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &HeaderName {
        &self.name
    }
}

impl PartialEq for FieldName {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for FieldName {}

impl TryFrom<String> for FieldName {
    type Error = String;
    fn try_from(written: String) -> Result<Self, String> {
        let name = HeaderName::from_bytes(written.as_bytes())
            .map_err(|_| format!("`{}` is no name of a header field", written.escape_debug()))?;
        if TAKEN.contains(&name) {
            return Err(format!("`{written}` has a meaning of its own: choose another name"));
        }
        Ok(Self { written: written.into(), name })
    }
}

impl From<FieldName> for String {
    fn from(field: FieldName) -> Self {
        field.written.into_owned()
    }
}

impl JsonSchema for FieldName {
    fn schema_name() -> Cow<'static, str> {
        "FieldName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
            "description": "The name of a header field."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_kept_as_written() {
        let name = FieldName::try_from("X-Loop".to_owned()).expect("a name");
        assert_eq!(name.name(), "x-loop");
        assert_eq!(String::from(name), "X-Loop");
        for bad in ["", "two words", "Host", "transfer-encoding", "a:b"] {
            assert!(FieldName::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
