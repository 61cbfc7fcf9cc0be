//! A request of HTTP/2 in the shape that requests of HTTP/1 have: who is asked stands in `Host`,
//! and the target is a path. So whatever comes after treats both alike.

use bytes::BytesMut;
use http::header::{COOKIE, HOST};
use http::{HeaderMap, HeaderValue, Uri, request};
use pingora::http::RequestHeader;
use whodunit_filters::attribution::Failure;
use whodunit_filters::head::{HeadLimits, Parsed};

/// A request's head, and why it is refused if it is.
pub(super) struct Head {
    pub(super) header: RequestHeader,
    pub(super) refusal: Option<Failure>,
    /// Bytes of it as it would be written in HTTP/1.1.
    pub(super) length: usize,
}

/// Takes a request's head as the codec delivers it.
pub(super) fn head(mut parts: request::Parts, limits: &HeadLimits) -> Head {
    let uri = std::mem::take(&mut parts.uri).into_parts();
    let target = uri.path_and_query;
    let parsed = Parsed {
        method: &parts.method,
        target: target.as_ref().map_or("", |target| target.as_str()).as_bytes(),
        authority: uri.authority.as_ref().map(|authority| authority.as_str().as_bytes()),
        headers: &parts.headers,
    };
    let refusal = parsed.inspect(limits).err();
    let length = parsed.length();
    join_cookies(&mut parts.headers);
    if let Some(authority) = uri.authority
        && !parts.headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
    parts.uri = target.map_or_else(Uri::default, Uri::from);
    Head { header: RequestHeader::from(parts), refusal, length }
}

/// Cookies may come in several fields, of which HTTP/1 knows only one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let (Some(first), Some(_)) = (cookies.next(), cookies.next()) else { return };
    let mut joined = BytesMut::from(first.as_bytes());
    for cookie in headers.get_all(COOKIE).iter().skip(1) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    let joined = HeaderValue::from_maybe_shared(joined.freeze());
    headers.insert(COOKIE, joined.expect("good values and `; ` make a good value"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(request: request::Builder) -> Head {
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        head(parts, &HeadLimits::default())
    }

    #[test]
    fn it_looks_like_one_of_http1() {
        let request = http::Request::get("https://a.test:8080/x?y=1")
            .version(http::Version::HTTP_2)
            .header("cookie", "a=1")
            .header("cookie", "b=2; c=3")
            .header("cookie", "d=4");
        let head = of(request);
        assert!(head.refusal.is_none());
        assert_eq!(head.header.raw_path(), b"/x?y=1");
        assert_eq!(head.header.uri.authority(), None);
        assert_eq!(head.header.headers[HOST], "a.test:8080");
        assert_eq!(head.header.version, http::Version::HTTP_2);
        let cookies: Vec<_> = head.header.headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3; d=4"]);
    }

    #[test]
    fn a_host_that_differs_is_refused() {
        let head = of(http::Request::get("http://a.test/").header("host", "b.test"));
        assert!(head.refusal.is_some());
        assert_eq!(head.header.headers[HOST], "b.test");
    }
}
