//! Fields of requests.

use super::Row;

pub(super) fn rows() -> Vec<Row> {
    let get = Row::get;
    vec![
        get(
            "a browser's",
            "User-Agent: Mozilla/5.0 (X11; rv:1)\r\nAccept: text/html,*/*;q=0.8\r\n\
             Accept-Language: de, en;q=0.5\r\nAccept-Encoding: gzip, br, zstd\r\n\
             Sec-Fetch-Mode: navigate\r\nUpgrade-Insecure-Requests: 1\r\nDNT: 1\r\n\
             Referer: http://app.test/?q\r\nCache-Control: no-cache",
        ),
        get("cookies", "Cookie: a=1; b=\"2\"; c"),
        get("cookies in two lines", "Cookie: a=1\r\nCookie: b=2"),
        get("a cookie of 4 KiB", &format!("Cookie: a={}", "c".repeat(4 << 10))),
        get("a cookie of 16 KiB", &format!("Cookie: a={}", "c".repeat(16 << 10))),
        get("90 fields", &(0..90).map(|n| format!("X-{n}: {n}")).collect::<Vec<_>>().join("\r\n")),
        get("`Authorization`", "Authorization: Basic YTpi"),
        get("`Proxy-Authorization`", "Proxy-Authorization: Basic YTpi").differs(
            &[("field there proxy-authorization", "Basic YTpi", "none")],
            "It is for the first proxy on the way (RFC 9110 section 11.7.2), and a \
             secret.",
        ),
        get("one field twice", "X-Same: 1\r\nX-Other: 2\r\nx-same: 3"),
        get("an empty value", "X-Empty:"),
        get("spaces and tabs around a value", "X-Spaces: \t  a  b \t"),
        get("no space after the colon", "X-Tight:a"),
        get("UTF-8 in a value", "X-Name: gr\u{fc}\u{df}e"),
        get("quotes, commas and comments", "X-Odd: \"a, b\" (c \\\" d); e=\"f\""),
        get("a name with an underscore", "X_Under: 1").differs(
            &[("field there x_under", "none", "1")],
            "A valid name (RFC 9110 section 5.1). nginx drops it unless \
             `underscores_in_headers` is on; an origin that reads fields by CGI's \
             rules has to tell it from `X-Under`.",
        ),
        get("a name with a dot", "X.Dot: 1").differs(
            &[("field there x.dot", "none", "1")],
            "A valid name (RFC 9110 section 5.1). nginx drops it unless \
             `ignore_invalid_headers` is off.",
        ),
        get("fields that `Connection` names", "Connection: close, X-Hop\r\nX-Hop: 1\r\nX-Stays: 1")
            .differs(
                &[("field there x-hop", "1", "none")],
                "They are of this connection alone (RFC 9110 section 7.6.1).",
            ),
        get("`Connection` that names `Host`", "Connection: Host").differs(
            &[("answer", "200 OK", "400 of its own")],
            "Who asks for `Host` to be taken off wants the origin to see another \
             request than we do (RFC 9110 section 7.6.1 forbids to name it).",
        ),
        get(
            "`Keep-Alive` and `Proxy-Connection`",
            "Keep-Alive: 300\r\nProxy-Connection: keep-alive",
        )
        .differs(
            &[("field there proxy-connection", "keep-alive", "none")],
            "Both are of one connection (RFC 9110 section 7.6.1).",
        ),
        get("`TE: trailers`", "TE: trailers\r\nConnection: TE"),
        get("`TE: gzip`", "TE: gzip\r\nConnection: TE"),
        get("`Upgrade` that the origin ignores", "Connection: Upgrade\r\nUpgrade: foo/2"),
        get(
            "`Upgrade: h2c`",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \
             AAMAAABk",
        )
        .differs(
            &[("field there http2-settings", "AAMAAABk", "none")],
            "It goes with the upgrade, which neither passes on (RFC 9113 section 3.1).",
        ),
        get("`Max-Forwards`", "Max-Forwards: 5"),
        get("`Range` and `If-Range`, passed on", "Range: bytes=0-4\r\nIf-Range: \"x\""),
        get("`If-None-Match`, passed on", "If-None-Match: W/\"x\", \"y\""),
        get("`Accept-Encoding` twice", "Accept-Encoding: gzip\r\nAccept-Encoding: br"),
        get("`X-Real-IP` and `X-Forwarded-Port`", "X-Real-IP: 192.0.2.1\r\nX-Forwarded-Port: 1"),
        get("`tracestate`", "tracestate: a=1"),
    ]
}
