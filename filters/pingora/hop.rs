//! Fields that belong to one hop (RFC 9110 section 7.6.1), taken off a request that goes on over
//! HTTP/2 by our own connector. On its own ways Pingora does this, by the same rules.

use http::header::{
    CONNECTION, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderValue, Version};
use pingora::http::RequestHeader;
use whodunit_filters::attribution::cause::client::CLIENT_REQUEST_MALFORMED;
use whodunit_filters::attribution::{Failure, Key};

/// The most fields that `Connection` may name, less one.
const MOST: usize = 10;

/// Fields that a client must not have taken away.
const PROTECTED: [&str; 4] = ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/// Takes them off.
///
/// # Errors
/// `client_request_malformed`, when `Connection` names what it must not, or too much.
pub(crate) fn strip(request: &mut RequestHeader) -> Result<(), Box<Failure>> {
    let trailers = request.version == Version::HTTP_2
        && request
            .headers
            .get(TE)
            .is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in nominated(request)? {
        request.remove_header(&name);
    }
    for name in [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("http2-settings"),
    ] {
        request.remove_header(&name);
    }
    if trailers {
        // The one thing that `TE` may say in HTTP/2 (RFC 9113 section 8.2.2); gRPC asks for it.
        let trailers = HeaderValue::from_static("trailers");
        request.insert_header(TE, trailers).expect("a valid field");
    }
    Ok(())
}

/// The fields that `Connection` names.
fn nominated(request: &RequestHeader) -> Result<Vec<HeaderName>, Box<Failure>> {
    let mut names = Vec::new();
    let fields = request.headers.get_all(CONNECTION).iter();
    for word in fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b',')) {
        let word = word.trim_ascii();
        if word.is_empty() {
            continue;
        }
        if names.len() + 1 >= MOST {
            return Err(malformed("Connection names too many fields"));
        }
        match HeaderName::from_bytes(word) {
            Ok(name) if PROTECTED.contains(&name.as_str()) => {
                return Err(malformed("Connection names a field that it must not"));
            }
            Ok(name) => names.push(name),
            Err(_) if word.starts_with(b":") => {
                return Err(malformed("Connection names a field that it must not"));
            }
            Err(_) => return Err(malformed("invalid field name in Connection")),
        }
    }
    Ok(names)
}

fn malformed(rule: &'static str) -> Box<Failure> {
    let failure = Failure::denied(&CLIENT_REQUEST_MALFORMED).with(Key::Part, "header");
    Box::new(failure.with(Key::Rule, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        for (name, value) in fields {
            request.append_header(*name, *value).expect("a field");
        }
        request
    }

    #[test]
    fn what_connection_names_goes_and_the_rest_stays() {
        let mut request = request(&[
            ("Connection", "close, X-Mine"),
            ("X-Mine", "1"),
            ("X-Yours", "2"),
            ("Keep-Alive", "5"),
            ("TE", "trailers"),
        ]);
        strip(&mut request).expect("well-formed");
        let left: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-yours"]);
    }

    #[test]
    fn grpc_keeps_what_it_needs() {
        let mut request = request(&[("TE", "trailers")]);
        request.set_version(Version::HTTP_2);
        strip(&mut request).expect("well-formed");
        assert_eq!(request.headers.get(TE).expect("kept"), "trailers");
    }

    #[test]
    fn what_must_not_be_named_is_refused() {
        let many = ["a,b,c,d,e", "f,g,h,i,j"].map(|value| ("Connection", value));
        for fields in [
            &[("Connection", "X-Forwarded-For")][..],
            &[("Connection", ":path")],
            &[("Connection", "a b")],
            &many,
        ] {
            let failure = strip(&mut request(fields)).expect_err("refused");
            assert!(
                failure.evidence.text(Key::Rule).is_some_and(|rule| rule.contains("Connection"))
            );
        }
    }
}
