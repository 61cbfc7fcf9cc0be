//! How [`Statuses`] are written in a configuration: `statuses: standard`, or
//! `statuses: { dialect: standard, causes: { connect_refused: 503 } }`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Dialect, Statuses};
use crate::attribution::cause::{CATALOGUE, Status, nearer};

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole)
    }
}

impl<'de> Deserialize<'de> for Dialect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        dialect(&String::deserialize(deserializer)?)
    }
}

fn dialect<E: de::Error>(word: &str) -> Result<Dialect, E> {
    word.parse().map_err(|()| {
        let all: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect();
        let hint = nearer(word, all.iter().copied())
            .map_or_else(|| all.join(", "), |near| format!("did you mean `{near}`?"));
        E::custom(format!("there is no dialect `{}`: {hint}", word.escape_debug()))
    })
}

struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Statuses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dialect, or a map of `dialect` and `causes`")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Statuses, E> {
        dialect(word).map(Statuses::new)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Statuses, A::Error> {
        let (mut dialect, mut causes) = (None::<Dialect>, None::<Exceptions>);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "dialect" if dialect.is_some() => {
                    return Err(de::Error::duplicate_field("dialect"));
                }
                "causes" if causes.is_some() => return Err(de::Error::duplicate_field("causes")),
                "dialect" => dialect = Some(map.next_value()?),
                "causes" => causes = Some(map.next_value()?),
                other => return Err(de::Error::unknown_field(other, &["dialect", "causes"])),
            }
        }
        let mut statuses = causes.map(|Exceptions(statuses)| statuses).unwrap_or_default();
        statuses.dialect = dialect.unwrap_or(statuses.dialect);
        Ok(statuses)
    }
}

/// The value of `causes`. Each entry is judged as it is read, so that an error has its place.
struct Exceptions(Statuses);

impl<'de> Deserialize<'de> for Exceptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Exceptions(Statuses::default()))
    }
}

impl<'de> Visitor<'de> for Exceptions {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from causes to statuses, such as `connect_refused: 503`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((id, code)) = map.next_entry::<String, u16>()? {
            self.0.except(&id, code).map_err(de::Error::custom)?;
        }
        Ok(self)
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.causes.is_empty() {
            return self.dialect.serialize(serializer);
        }
        let causes: BTreeMap<&str, u16> = self.causes.iter().map(|(c, n)| (c.id, *n)).collect();
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("dialect", &self.dialect)?;
        map.serialize_entry("causes", &causes)?;
        map.end()
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let dialects: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect();
        let code = serde_json::json!({ "type": "integer", "minimum": 400, "maximum": 599 });
        let causes: serde_json::Map<String, serde_json::Value> = CATALOGUE
            .iter()
            .filter(|row| !matches!(row.standard, Status::Pass | Status::Log(_)))
            .map(|row| (row.id.to_owned(), code.clone()))
            .collect();
        json_schema!({
            "description": "How causes become statuses: a dialect, or a dialect with exceptions.",
            "oneOf": [
                { "type": "string", "enum": dialects },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "dialect": { "type": "string", "enum": dialects, "default": "standard" },
                        "causes": {
                            "type": "object",
                            "additionalProperties": false,
                            "properties": causes
                        }
                    }
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::cause::{path, proxy};

    fn read(text: &str) -> Result<Statuses, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_dialect_and_its_exceptions_are_read_and_written_back() {
        assert_eq!(read(r#""cloudflare""#), Ok(Statuses::new(Dialect::Cloudflare)));
        assert_eq!(read("{}"), Ok(Statuses::default()));
        let written = r#"{"dialect":"rfc9209","causes":{"connect_refused":503,"no_route":421}}"#;
        let statuses = read(written).expect("a map");
        assert_eq!(statuses.of(&path::CONNECT_REFUSED), Some(503));
        assert_eq!(statuses.of(&proxy::NO_ROUTE), Some(421));
        assert_eq!(statuses.of(&proxy::LOOP_DETECTED), Some(502));
        assert_eq!(serde_json::to_string(&statuses).expect("plain data"), written);
        let plain = serde_json::to_string(&Statuses::default()).expect("plain data");
        assert_eq!(plain, r#""standard""#);
    }

    #[test]
    fn mistakes_are_refused_with_a_hint() {
        for (text, hint) in [
            (r#""cloudflair""#, "did you mean `cloudflare`?"),
            (r#""nginx""#, "standard, rfc9209, cloudflare, alibaba"),
            (r#"{"causes":{"conect_refused":503}}"#, "did you mean `connect_refused`?"),
            (r#"{"causes":{"qqqqqqqqqqqqq":503}}"#, "`whodunit causes` lists them all"),
            (r#"{"causes":{"connect_refused":200}}"#, "from 400 to 599"),
            (r#"{"causes":{"connect_refused":600}}"#, "from 400 to 599"),
            (r#"{"causes":{"origin_error":500}}"#, "the origin's answer is passed on"),
            (r#"{"causes":{"client_aborted":400}}"#, "nobody is left"),
            (r#"{"causes":{"no_route":400,"no_route":404}}"#, "twice"),
            (r#"{"dialect":"standard","dialect":"standard"}"#, "duplicate field"),
            (r#"{"dialekt":"standard"}"#, "unknown field `dialekt`"),
            ("17", "a dialect, or a map"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn the_schema_names_the_causes_that_can_be_chosen_for() {
        let schema = schemars::schema_for!(Statuses).to_value().to_string();
        assert!(schema.contains("connect_refused") && !schema.contains("origin_error"));
    }
}
