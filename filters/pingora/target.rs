//! The form of a target: a proxy may be asked for a whole URI, an origin is asked for a path (RFC 9112
//! section 3.2).

use http::Method;
use http::header::HOST;
use pingora::Result;
use pingora::http::RequestHeader;

/// Makes of a target in absolute form what an origin is asked for. Whom it is for stays in `Host`.
///
/// # Errors
/// None that is known: a part of a good target is a good target.
pub(crate) fn relative(request: &mut RequestHeader) -> Result<()> {
    let target = request.raw_path();
    if matches!(target.first(), Some(b'/' | b'*')) {
        return Ok(());
    }
    let Some(scheme) = target.windows(3).position(|three| three == b"://") else { return Ok(()) };
    let rest = &target[scheme + 3..];
    let end = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let relative = match path.first() {
        Some(b'/') => path.to_vec(),
        // RFC 9112 section 3.2.4.
        None if request.method == Method::OPTIONS => b"*".to_vec(),
        Some(_) | None => [b"/", path].concat(),
    };
    if !request.headers.contains_key(HOST) {
        let host = authority.to_vec();
        request.insert_header(HOST, host)?;
    }
    request.set_raw_path(&relative)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_asked_for_a_path() {
        for (method, asked, target) in [
            ("GET", "/a?b", "/a?b"),
            ("GET", "//a//b", "//a//b"),
            ("OPTIONS", "*", "*"),
            ("GET", "http://app.test/a?b", "/a?b"),
            ("GET", "http://app.test//a", "//a"),
            ("GET", "http://app.test:80", "/"),
            ("GET", "http://app.test?a=/b", "/?a=/b"),
            ("GET", "http://app.test/\u{fc}", "/\u{fc}"),
            ("OPTIONS", "http://app.test", "*"),
            ("OPTIONS", "http://app.test/", "/"),
        ] {
            let mut request =
                RequestHeader::build(method, asked.as_bytes(), None).expect("a request");
            relative(&mut request).expect("a good target");
            assert_eq!(String::from_utf8_lossy(request.raw_path()), target, "{asked}");
        }
    }

    #[test]
    fn whom_it_is_for_stays() {
        let mut request =
            RequestHeader::build("GET", b"http://app.test:81/", None).expect("a request");
        relative(&mut request).expect("a good target");
        assert_eq!(request.headers[HOST], "app.test:81");
    }
}
