//! Parts of a whole.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// So many in a hundred: a whole number and `%`, from `LEAST` to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent<const LEAST: u8 = 0>(u8);

/// A part that is not nothing.
pub type Share = Percent<1>;

impl<const LEAST: u8> Percent<LEAST> {
    /// So many in a hundred, as written in the code: no less than the least, no more than all.
    pub(super) const fn of(percent: u8) -> Self {
        assert!(LEAST <= percent && percent <= 100);
        Self(percent)
    }

    /// So many in a hundred.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl<const LEAST: u8> FromStr for Percent<LEAST> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
        number.filter(|percent| (LEAST..=100).contains(percent)).map(Self).ok_or_else(|| {
            let text = text.escape_debug();
            format!("`{text}` is not a share: write a whole number from `{LEAST}%` to `100%`")
        })
    }
}

impl<const LEAST: u8> fmt::Display for Percent<LEAST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl<const LEAST: u8> TryFrom<String> for Percent<LEAST> {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl<const LEAST: u8> From<Percent<LEAST>> for String {
    fn from(share: Percent<LEAST>) -> Self {
        share.to_string()
    }
}

impl<const LEAST: u8> JsonSchema for Percent<LEAST> {
    fn schema_name() -> Cow<'static, str> {
        if LEAST == 0 { "Percent".into() } else { "Share".into() }
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(100|[1-9]?[0-9]) *%$",
            "description": format!("So many in a hundred, from `{LEAST}%` to `100%`."),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_from_the_least_to_100() {
        assert_eq!("20%".parse(), Ok(Percent::<0>(20)));
        assert_eq!("100 %".parse(), Ok(Percent::<1>(100)));
        assert_eq!(String::from(Percent::<0>(0)), "0%");
        for bad in ["20", "101%", "-1%", "%", "2.5%", "300%", "half"] {
            bad.parse::<Percent>().expect_err(bad);
            bad.parse::<Share>().expect_err(bad);
        }
        "0%".parse::<Share>().expect_err("nothing");
    }
}
