//! What is asked for, and of whom.

use crate::everyday::row::{REFUSED, Row, TAKEN};

/// The path leads to one route or to another, by who reads it.
const AMBIGUOUS: &[(&str, &str, &str)] = &[("answer", "200 OK", "400 of its own")];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = paths();
    rows.extend(others());
    rows
}

fn path(name: &'static str, path: &str) -> Row {
    Row::ask(name, &format!("GET {path}"), "")
}

/// Slashes and dots, and what may be taken for them.
fn paths() -> Vec<Row> {
    vec![
        path("two slashes", "//a//b"),
        path("`/../` within the path", "/a/../b/./c"),
        path("`/../` above the root", "/../etc/passwd").differs(
            &[("connection", "closed", "kept")],
            "Both refuse it. It is clear where the request ends, so the next one may follow (RFC 9112 \
             section 9.3).",
        ),
        path("`/../` above the root, later on", "/a/%2e%2e/../etc/passwd").differs(
            &[("connection", "closed", "kept")],
            "As above.",
        ),
        path("`/../` that leads out of a route", "/files/../a").differs(
            AMBIGUOUS,
            "An origin may resolve dots or not (RFC 3986 section 6.2.2.3), and the path goes on as it \
             came: by the one route or by the other, some origin would be reached past its rules. So \
             nobody gets there. Browsers and curl resolve dots before they ask.",
        ),
        path("`/../` that leads into another route", "/a/../files/lines.txt").differs(
            AMBIGUOUS,
            "As above.",
        ),
        path("`/../` within a route", "/files/x/../lines.txt"),
        path("two slashes before a route", "//files//lines.txt"),
        path("`/./` before a route", "/./files/./lines.txt"),
        path("a route with encoded letters", "/%66iles/%6cines.txt"),
        path("an encoded slash in a route", "/files%2Flines.txt").differs(
            AMBIGUOUS,
            "nginx takes it for a slash. Others do not (RFC 3986 section 2.2), and to them the path \
             belongs to another route.",
        ),
        path("an encoded slash in a name", "/a%2Fb%2F"),
        path("an encoded slash that leads into a route", "/a%2F..%2Ffiles/lines.txt").differs(
            AMBIGUOUS,
            "As above.",
        ),
        path("a backslash for a route's slash", "/files\\lines.txt").differs(
            AMBIGUOUS,
            "To browsers' libraries and to Windows it is a slash (WHATWG URL section 4.4), to nginx it \
             is none, and so it passes by a rule for `/files/`.",
        ),
        path("parameters within a route's name", "/files;v=1/lines.txt").differs(
            AMBIGUOUS,
            "Servlet containers leave out what follows a `;`, nginx does not, and so it passes by a \
             rule for `/files/`. Parameters that do not change the route pass.",
        ),
        path("encoded dots", "/a/%2e%2e/b"),
        path("dots in a name", "/.well-known/..x/...a"),
    ]
}

fn others() -> Vec<Row> {
    let host =
        |name, host: &str| Row::sent(name, format!("GET /a HTTP/1.1\r\nHost:{host}\r\n\r\n"));
    vec![
        path("percent-encoded", "/a%20b%2Fc%7e%C3%A9"),
        path("percent-encoded twice", "/a%252Fb%2525"),
        path("a percent sign that encodes nothing", "/100%").differs(
            TAKEN,
            "A path goes on as it came, so the origin decides (RFC 3986 section 2.1).",
        ),
        path("an encoded NUL", "/a%00b").differs(
            TAKEN,
            "A path goes on as it came, so the origin decides (RFC 3986 section 7.3).",
        ),
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
