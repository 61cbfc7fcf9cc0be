//! What is asked for, and of whom.

use super::Row;

pub(super) fn rows() -> Vec<Row> {
    let path = |name, path: &str| Row::ask(name, &format!("GET {path}"), "");
    let host = |name, host: &str| {
        Row::sent(name, format!("GET /a HTTP/1.1\r\nHost:{host}\r\n\r\n"))
    };
    vec![
        path("percent-encoded", "/a%20b%2Fc%7e%C3%A9"),
        path("percent-encoded twice", "/a%252Fb%2525"),
        path("a percent sign that encodes nothing", "/100%"),
        path("an encoded NUL", "/a%00b"),
        path("two slashes", "//a//b"),
        path("`/../` within the path", "/a/../b/./c"),
        path("`/../` above the root", "/../etc/passwd"),
        path("encoded dots", "/a/%2e%2e/b"),
        path("dots in a name", "/.well-known/..x/...a"),
        path("an empty query", "/a?"),
        path("a query with everything", "/a?x=1&y=%20+&z=[1]&u=http://b/?c#"),
        path("`;` in the path", "/a;v=1/b;jsessionid=2"),
        path("a fragment", "/a#part"),
        path("UTF-8 bytes", "/gr\u{fc}\u{df}e?\u{e9}"),
        path("characters that are to be encoded", "/a{b}|c^d`\"<e>\\"),
        path("a colon and an at sign", "/a:b@c"),
        path("8 KiB", &format!("/{}", "p".repeat(8 << 10))),
        path("absolute form", "http://app.test/a?b"),
        path("absolute form with a port", "http://app.test:8080/a").host("app.test:8080"),
        path("absolute form without a path", "http://app.test"),
        path("absolute form for another host", "http://other.test/a"),
        path("a target without a slash", "a/b"),
        Row::sent("a space in the target", "GET /a b HTTP/1.1\r\nHost: app.test\r\n\r\n"),
        host("an empty `Host`", ""),
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
