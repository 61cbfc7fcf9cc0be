//! Edits to a header section of Pingora's, which keeps the names as they were spelt beside the map.

use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;
use whodunit_filters::chain::Edit;

/// A request header that is about to go to the origin.
pub(crate) struct Request<'a>(pub(crate) &'a mut RequestHeader);

/// The fields that filters add, as they are commonly spelt.
const SPELT: [&str; 9] = [
    "CDN-Loop",
    "Forwarded",
    "Max-Forwards",
    "Traceparent",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Request-Id",
];

/// The common spelling of a name, if it has one that is known.
fn spelt(name: &HeaderName) -> Option<&'static str> {
    SPELT.iter().copied().find(|spelt| spelt.eq_ignore_ascii_case(name.as_str()))
}

impl Edit for Request<'_> {
    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        let done = match spelt(&name) {
            Some(spelt) => self.0.insert_header(spelt, value),
            None => self.0.insert_header(name, value),
        };
        done.expect("name and value were checked when made");
    }

    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        let done = match spelt(&name) {
            Some(spelt) => self.0.append_header(spelt, value),
            None => self.0.append_header(name, value),
        };
        done.expect("name and value were checked when made");
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove_header(name);
    }
}
