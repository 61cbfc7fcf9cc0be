//! What is asked for, and of whom.

use crate::everyday::row::{REFUSED, Row, TAKEN};

pub(super) fn rows() -> Vec<Row> {
    let path = |name, path: &str| Row::ask(name, &format!("GET {path}"), "");
    let host =
        |name, host: &str| Row::sent(name, format!("GET /a HTTP/1.1\r\nHost:{host}\r\n\r\n"));
    vec![
        path("percent-encoded", "/a%20b%2Fc%7e%C3%A9"),
        path("percent-encoded twice", "/a%252Fb%2525"),
        path("a percent sign that encodes nothing", "/100%").differs(
            TAKEN,
            "We do not decode paths, so the origin decides (RFC 3986 section 2.1).",
        ),
        path("an encoded NUL", "/a%00b").differs(
            TAKEN,
            "We do not decode paths, so the origin decides (RFC 3986 section 7.3).",
        ),
        path("two slashes", "//a//b"),
        path("`/../` within the path", "/a/../b/./c"),
        path("`/../` above the root", "/../etc/passwd").differs(
            TAKEN,
            "We neither resolve dots nor read files; the path goes on as it came (RFC \
             3986 section 5.2.4).",
        ),
        path("`/../` that leads out of a route", "/files/../a").differs(
            &[
                ("answer", "200 OK", "404 Not Found"),
                ("body", "fine\\n", "146 bytes (c7051691)"),
                ("body ends by", "length 5", "length 146"),
                ("empty body there", "goes without saying", "none"),
                ("field content-type", "none", "text/html"),
                ("field there host", "app.test", "none"),
                ("line there", "GET /files/../a HTTP/1.1", "none"),
                ("requests there", "1", "0"),
            ],
            "A route is chosen by the path as it is sent, byte for byte, as it goes on; \
             nginx decodes it, merges slashes and resolves dots before it chooses. An origin that \
             resolves dots thus sees another path than the route did: a route's rules are no lock \
             on what lies behind a path.",
        ),
        path("`/../` that leads into another route", "/a/../files/lines.txt").differs(
            &[
                ("body", "5600 bytes (bd33f865)", "fine\\n"),
                ("body ends by", "length 5600", "length 5"),
                ("empty body there", "none", "goes without saying"),
                ("field accept-ranges", "bytes", "none"),
                ("field content-type", "text/plain", "none"),
                ("field etag", "'6553f100-15e0'", "none"),
                ("field last-modified", "Tue, 14 Nov 2023 22:13:20 GMT", "none"),
                ("field there host", "none", "app.test"),
                ("line there", "none", "GET /a/../files/lines.txt HTTP/1.1"),
                ("requests there", "0", "1"),
            ],
            "As above.",
        ),
        path("encoded dots", "/a/%2e%2e/b"),
        path("dots in a name", "/.well-known/..x/...a"),
        path("an empty query", "/a?"),
        path("a query with everything", "/a?x=1&y=%20+&z=[1]&u=http://b/?c;d=e'f*(g)!~,$@"),
        path("`;` in the path", "/a;v=1/b;jsessionid=2"),
        path("a fragment", "/a#part").differs(
            REFUSED,
            "No target has a fragment (RFC 9112 section 3.2), and readers disagree \
             about where the path ends.",
        ),
        path("UTF-8 bytes", "/gr\u{fc}\u{df}e?\u{e9}"),
        path("what browsers do not encode in a path", "/a|b^c[d]'"),
        path("what browsers do not encode in a query", "/a?b={c}|d^e`[f]\\"),
        path("quotes and angle brackets", "/a?b=\"<c>\"")
            .differs(REFUSED, "No URI has them (RFC 3986 appendix A); browsers encode them."),
        path("a backquote in a path", "/a`b")
            .differs(REFUSED, "No URI has it (RFC 3986 appendix A); browsers encode it in a path."),
        path("a colon and an at sign", "/a:b@c"),
        path("8 KiB", &format!("/{}", "p".repeat(8 << 10))),
        path("absolute form", "http://app.test/a?b"),
        path("absolute form with a port", "http://app.test:8080/a").host("app.test:8080"),
        path("absolute form without a path", "http://app.test"),
        path("absolute form for another host", "http://other.test/a").differs(
            REFUSED,
            "Two hosts in one request: whoever reads only `Host` sends it elsewhere. \
             RFC 9112 section 3.2.2 would have the target win; we refuse what two \
             readers could understand differently.",
        ),
        path("a target without a slash", "a/b"),
        Row::sent("a space in the target", "GET /a b HTTP/1.1\r\nHost: app.test\r\n\r\n"),
        host("an empty `Host`", "").differs(
            TAKEN,
            "The field may be empty (RFC 9112 section 3.2); it takes the route that \
             asks for no host.",
        ),
        host("`Host` in capitals", " APP.Test"),
        host("`Host` with a port", " app.test:8080"),
        host("`Host` with a trailing dot", " app.test."),
        host("`Host`, an IPv6 address", " [::1]:8080"),
        host("`Host` with an underscore", " my_app.test"),
        host("`Host` that no host can have", " app/test"),
        Row::sent("no `Host`", "GET /a HTTP/1.1\r\n\r\n"),
        Row::sent("`Host` twice", "GET /a HTTP/1.1\r\nHost: app.test\r\nHost: b.test\r\n\r\n"),
    ]
}
