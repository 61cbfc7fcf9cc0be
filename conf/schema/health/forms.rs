//! The texts of these sections that have a form of their own.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::schema::text::{ends_in_number, is_host, texts};

/// A path to ask for, with its query if it has one (RFC 3986 sections 3.3 and 3.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Page(String);

/// A host to ask for, as it stands in `Host`: a name or an address, and a port if there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Authority(String);

/// Statuses: `200`, `200-399`, or several of these with commas between.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Expect(Vec<RangeInclusive<u16>>);

impl Default for Page {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl Default for Expect {
    fn default() -> Self {
        Self(vec![200..=399])
    }
}

impl Page {
    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Authority {
    /// The host, with its port if it has one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Expect {
    /// Whether this status is one of them.
    #[must_use]
    pub fn holds(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl FromStr for Page {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let hint = if !text.starts_with('/') {
            "it must begin with `/`"
        } else if text.contains('#') {
            "what stands behind `#` is never sent"
        } else if !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b))
        {
            "it is sent as it stands here, so spaces and the like must be percent-encoded"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(format!("`{}` is not a path to ask for: {hint}", text.escape_debug()))
    }
}

impl FromStr for Authority {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let known = v6.is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok())
            || host.parse::<Ipv4Addr>().is_ok()
            || is_host(host) && !ends_in_number(host);
        let ported = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if known && ported {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let hint =
            "write `app.example.net`, `192.0.2.1` or `[2001:db8::1]`, with a port or without";
        Err(format!("`{}` is not a host to ask for: {hint}", text.escape_debug()))
    }
}

impl FromStr for Expect {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let status = |text: &str| {
            let three = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|status| three && (200..=599).contains(status))
        };
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (status(first.trim())?, status(last.trim())?);
            (first <= last).then_some(first..=last)
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self).ok_or_else(|| {
            let text = text.escape_debug();
            format!("`{text}` are no statuses: write `200`, `200-399` or `\"200, 204\"`, from 200 to 599")
        })
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, range) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

texts! {
    Page: r"^/[^# ]*$", "A path to ask for, with its query if it has one, such as `/healthz`.";
    Authority: r"^[^/@ ]+$", "A host to ask for, such as `app.example.net`.";
}

/// Statuses may be written as text, and a single one as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u16),
    Text(String),
}

impl TryFrom<Written> for Expect {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(status) => status.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Expect> for String {
    fn from(value: Expect) -> Self {
        value.to_string()
    }
}

impl schemars::JsonSchema for Expect {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expect".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer"],
            "pattern": r"^[0-9]{3}( *- *[0-9]{3})?( *, *[0-9]{3}( *- *[0-9]{3})?)*$",
            "minimum": 200,
            "maximum": 599,
            "description": "Statuses: `200`, `200-399`, or several with commas between.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_and_written_back() {
        for text in ["200", "200-399", "200, 204-299, 401"] {
            let expect: Expect = text.parse().expect("statuses");
            assert_eq!(expect.to_string(), text);
        }
        let expect: Expect = "200,300 - 302".parse().expect("statuses");
        assert!([200, 300, 302].iter().all(|status| expect.holds(*status)));
        assert!(![199, 201, 299, 303, 500].iter().any(|status| expect.holds(*status)));
        for bad in ["", "2xx", "20", "0200", "399-200", "200-", "100", "600", "+20", "200;204"] {
            assert!(bad.parse::<Expect>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_and_paths_are_such_as_can_be_sent() {
        for good in ["app.test", "app.test:8080", "192.0.2.1", "[::1]", "[::1]:80", "App.test"] {
            let host: Authority = good.parse().expect("a host");
            assert_eq!(host.as_str(), good.to_ascii_lowercase());
        }
        for bad in ["", "a b", "a@b", "http://a", "a:0", "a:x", "::1", "a/b", "1.2.3", "a\r\nb"] {
            assert!(bad.parse::<Authority>().is_err(), "{bad}");
        }
        assert!("/healthz?deep=1&x=%20".parse::<Page>().is_ok());
        for bad in ["", "healthz", "/a b", "/a#b", "/\r\n", "/<"] {
            assert!(bad.parse::<Page>().is_err(), "{bad}");
        }
    }
}
