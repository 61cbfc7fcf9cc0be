//! Edits to the header section that goes to the origin.

use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;
use whodunit_filters::chain::Edit;

/// Edits a header section of Pingora's, which keeps the names as they were spelt beside the map.
pub(crate) struct Request<'a>(pub(crate) &'a mut RequestHeader);

/// The same, but what is added comes as lines, for a connection that puts them at the section's end:
/// six more fields in two maps take longer than all the rest of a small request's header section.
pub(crate) struct Lines<'a> {
    pub(crate) request: &'a mut RequestHeader,
    pub(crate) lines: &'a mut Vec<u8>,
}

/// A name of those that filters add as it is commonly spelt.
fn spelt(name: &HeaderName) -> Option<&'static str> {
    Some(match name.as_str() {
        "cdn-loop" => "CDN-Loop",
        "forwarded" => "Forwarded",
        "max-forwards" => "Max-Forwards",
        "traceparent" => "Traceparent",
        "via" => "Via",
        "x-forwarded-for" => "X-Forwarded-For",
        "x-forwarded-host" => "X-Forwarded-Host",
        "x-forwarded-proto" => "X-Forwarded-Proto",
        "x-request-id" => "X-Request-Id",
        _ => return None,
    })
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

impl Edit for Lines<'_> {
    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.append(name, value);
    }

    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        let name = spelt(&name).unwrap_or(name.as_str());
        for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            self.lines.extend_from_slice(part);
        }
    }

    fn remove(&mut self, name: &HeaderName) {
        if self.request.headers.contains_key(name) {
            self.request.remove_header(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_lead_to_the_same_header_section() {
        let came = || {
            let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
            for (name, value) in
                [("Host", "app.test"), ("via", "1.1 front"), ("X-Request-ID", "1"), ("X-One", "1")]
            {
                request.append_header(name, value).expect("a field");
            }
            request
        };
        let edits = |edit: &mut dyn Edit| {
            edit.append(http::header::VIA, HeaderValue::from_static("1.1 edge"));
            edit.set(HeaderName::from_static("x-request-id"), HeaderValue::from_static("2"));
            edit.set(HeaderName::from_static("x-odd"), HeaderValue::from_static("3"));
            edit.remove(&HeaderName::from_static("x-one"));
        };
        let wire = |request: &RequestHeader, lines: &[u8]| {
            let mut bytes = bytes::BytesMut::new();
            request.header_to_h1_wire(&mut bytes);
            bytes.extend_from_slice(lines);
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let (mut mapped, mut direct, mut lines) = (came(), came(), Vec::new());
        edits(&mut Request(&mut mapped));
        edits(&mut Lines { request: &mut direct, lines: &mut lines });
        let expected = ["Host: app.test", "Via: 1.1 edge", "X-Request-Id: 2", "via: 1.1 front"];
        let expected = [&expected[..], &["x-odd: 3"]].concat();
        assert_eq!(wire(&direct, &lines), expected);
        assert_eq!(wire(&mapped, &[]), expected);
    }
}
