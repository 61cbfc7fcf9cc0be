//! What origins answer.

use super::Row;

pub(super) fn rows() -> Vec<Row> {
    let get = |name| Row::get(name, "");
    vec![
        get("301 with an absolute `Location`")
            .status("301 Moved Permanently", "Location: https://www.app.test/new?x=1#part"),
        get("302 with a relative `Location`").status("302 Found", "Location: ../there?next=%2F"),
        get("303 after a form").status("303 See Other", "Location: /done"),
        get("307").status("307 Temporary Redirect", "Location: //other.test/same"),
        get("308").status("308 Permanent Redirect", "Location: /for-good"),
        get("`Location` and `Refresh` that name the origin itself").status(
            "302 Found",
            "Location: http://app.test:80/x\r\nRefresh: 0; url=http://app.test/",
        ),
        get("201 with `Location` and `Content-Location`")
            .status("201 Created", "Location: /made/1\r\nContent-Location: /made/1"),
        get("204").answered("HTTP/1.1 204 No Content\r\nETag: \"a\"\r\n\r\n"),
        get("205").status("205 Reset Content", ""),
        get("304 with the fields of the whole")
            .answered("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n"),
        get("401 with two challenges").status(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"a, b\"\r\nWWW-Authenticate: Negotiate",
        ),
        get("404 with a page of the origin's")
            .answered("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nlost"),
        get("418, and words of the origin's own")
            .answered("HTTP/1.1 418 Short And Stout\r\nContent-Length: 0\r\n\r\n"),
        get("500 with a page of the origin's")
            .answered("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"),
        get("503 with `Retry-After`").status("503 Service Unavailable", "Retry-After: 7"),
        get("a status nobody knows").answered("HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"),
        get("several `Set-Cookie`").fields(
            "Set-Cookie: a=1; Path=/; Expires=Wed, 09 Jun 2100 10:18:14 GMT\r\n\
             Set-Cookie: b=2\r\nSet-Cookie: a=3; HttpOnly",
        ),
        get("several `Cache-Control`, `Vary`, `Link`").fields(
            "Cache-Control: no-cache\r\nVary: Accept\r\nCache-Control: max-age=0\r\n\
             Vary: Cookie\r\nLink: </a>; rel=preload\r\nLink: </b>; rel=next",
        ),
        get("`ETag`, `Last-Modified`, `Age`, `Expires`").fields(
            "ETag: W/\"x\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: \
             12\r\nExpires: 0",
        ),
        get("`Content-Encoding: gzip`, bytes untouched").answered(
            [
                &b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n"[..],
                b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff",
            ]
            .concat(),
        ),
        get("fields for browsers").fields(
            "Strict-Transport-Security: max-age=1\r\nContent-Security-Policy: \
             default-src 'self'\r\nAccess-Control-Allow-Origin: *\r\nX-Frame-Options: \
             DENY\r\nAlt-Svc: h3=\":443\"",
        ),
        get("an answer with an empty value, and spaces around one")
            .fields("X-Empty:\r\nX-Spaces:   a  b  "),
        get("an answer with UTF-8 in a value").fields("X-Name: gr\u{fc}\u{df}e"),
        get("a large field, 16 KiB").fields(&format!("X-Large: {}", "v".repeat(16 << 10))),
        get("60 fields")
            .fields(&(0..60).map(|n| format!("X-{n}: {n}")).collect::<Vec<_>>().join("\r\n")),
        get("`X-Accel-Buffering` and `X-Accel-Expires`")
            .fields("X-Accel-Buffering: no\r\nX-Accel-Expires: 5")
            .differs(
                &[
                    ("field x-accel-buffering", "none", "no"),
                    ("field x-accel-expires", "none", "5"),
                ],
                "They are nginx's own, for its cache and its buffers; to us they are \
             fields as any others.",
            ),
        get("neither `Date` nor `Server`")
            .answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        get("a field's name with an underscore").fields("X_Under: 1"),
    ]
}
