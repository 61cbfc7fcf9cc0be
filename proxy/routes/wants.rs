//! What a route asks for beside host and path.

use http::{HeaderMap, HeaderName, Method};
use regex::bytes::Regex;

/// Methods and header fields, all of which must be met.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// The methods; any, if there are none. `GET` stands for `HEAD` as well (RFC 9110 section 9.3.2).
    pub methods: Vec<Method>,
    /// The header fields.
    pub fields: Vec<(HeaderName, FieldTest)>,
}

/// What is asked of a field; of one with several lines, one line is enough.
#[derive(Clone, Debug)]
pub enum FieldTest {
    /// That its value be this.
    Is(String),
    /// That a pattern fit somewhere in its value.
    Fits(Regex),
    /// That it be there, or not.
    Present(bool),
}

impl Wants {
    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.fields.is_empty()
    }

    /// How many things are asked for: methods count as one.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::from(!self.methods.is_empty()) + self.fields.len()
    }

    /// Whether a request has what is asked for.
    #[must_use]
    pub fn met(&self, method: &Method, headers: &HeaderMap) -> bool {
        let head = || method == Method::HEAD && self.methods.contains(&Method::GET);
        let methods = self.methods.is_empty() || self.methods.contains(method) || head();
        methods && self.fields.iter().all(|(name, test)| test.met(name, headers))
    }
}

impl FieldTest {
    fn met(&self, name: &HeaderName, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
        match self {
            Self::Is(value) => lines.any(|line| line == value.as_bytes()),
            Self::Fits(regex) => lines.any(|line| regex.is_match(line)),
            Self::Present(wanted) => lines.next().is_some() == *wanted,
        }
    }
}
