//! The requests that are put to the origins.

use super::ask::Ask;
use super::files::NAMES;
use super::nginx::STATUSES;

/// What a file's answer says of its version.
pub(super) struct Version {
    pub(super) path: &'static str,
    pub(super) etag: String,
    pub(super) modified: String,
}

const LONG_AGO: &str = "Sat, 01 Jan 2000 00:00:00 GMT";
const FAR_AWAY: &str = "Fri, 01 Jan 2100 00:00:00 GMT";
const QUERIES: [&str; 6] =
    ["", "?", "?a=1", "?a=1&b=%20+&a=3", "?u=http://x/../y?z", "?%C3%A9;=&&"];
const RANGES: [&str; 12] = [
    "bytes=0-0",
    "bytes=0-",
    "bytes=-1",
    "bytes=-99999999",
    "bytes=5-10",
    "bytes=99999999-",
    "bytes=0-0,2-3,5-6",
    "bytes=1-2, 4-5,-3",
    "bytes=10-5",
    "bytes=x-y",
    "items=0-5",
    "bytes=0-199999,0-5",
];
const ENCODINGS: [&str; 5] = ["gzip", "gzip, deflate, br", "identity", "*", "gzip;q=0"];
const PLACES: [&str; 4] = ["", "/gzip", "/buffered", "/unbuffered"];

/// Requests for files, however they may be written; any origin of files can answer them.
pub(super) fn plain() -> Vec<Ask> {
    let mut asks = Vec::new();
    let more = ["/dir", "//one.txt", "/./one.txt", "/dir/../one.txt", "/missing", "/dir/%6Dissing"];
    for path in NAMES.iter().map(|(_, path)| *path).chain(more) {
        for query in QUERIES {
            asks.push(Ask::get(format!("{path}{query}")));
        }
        asks.push(Ask::new("HEAD", path));
        asks.push(Ask::get(path).old());
        asks.push(Ask::new("HEAD", path).old());
        asks.push(Ask::get(path).with("Connection", "close"));
        asks.push(Ask::get(path).old().with("Connection", "keep-alive"));
    }
    for method in ["OPTIONS", "DELETE", "PATCH", "REPORT"] {
        asks.push(Ask::new(method, "/one.txt"));
        asks.push(Ask::new(method, "/missing"));
    }
    asks
}

/// Requests that depend on what the client has already.
pub(super) fn conditional(version: &Version) -> Vec<Ask> {
    let Version { path, etag, modified } = version;
    let mut asks = Vec::new();
    for method in ["GET", "HEAD"] {
        let ask = || Ask::new(method, *path);
        for since in [modified.as_str(), LONG_AGO, FAR_AWAY, "yesterday"] {
            asks.push(ask().with("If-Modified-Since", since));
            asks.push(ask().with("If-Unmodified-Since", since));
        }
        let weak = format!("W/{etag}");
        let listed = format!("\"other\", {etag}");
        for tag in [etag.as_str(), &weak, &listed, "\"other\"", "*"] {
            asks.push(ask().with("If-None-Match", tag));
            asks.push(ask().with("If-Match", tag));
            asks.push(ask().with("If-None-Match", tag).with("If-Modified-Since", LONG_AGO));
        }
        for range in RANGES {
            asks.push(ask().with("Range", range));
            asks.push(ask().with("Range", range).with("If-Range", etag));
            asks.push(ask().with("Range", range).with("If-Range", "\"other\""));
        }
    }
    asks
}

/// Every status there is, asked for in every way.
pub(super) fn statuses() -> Vec<Ask> {
    let mut asks = Vec::new();
    for path in STATUSES.map(|status| format!("/status/{status}")) {
        asks.push(Ask::get(&path));
        asks.push(Ask::get(&path).old());
        asks.push(Ask::new("HEAD", &path));
        asks.push(Ask::new("DELETE", &path));
        asks.push(Ask::new("POST", &path).body("some words"));
        asks.push(Ask::new("PUT", &path).body("some words").chunked());
    }
    asks
}

/// Answers in chunks, in gzip, without a length, and with fields of every kind.
pub(super) fn shapes() -> Vec<Ask> {
    let mut asks = Vec::new();
    for place in PLACES {
        for name in ["/empty.txt", "/one.txt", "/small.txt", "/page.html", "/large.txt"] {
            let path = format!("{place}{name}");
            for encoding in ENCODINGS {
                asks.push(Ask::get(&path).with("Accept-Encoding", encoding));
            }
            asks.push(Ask::get(&path).old().with("Accept-Encoding", "gzip"));
            asks.push(Ask::new("HEAD", &path).with("Accept-Encoding", "gzip"));
            asks.push(Ask::get(&path).with("Accept-Encoding", "gzip").with("Connection", "close"));
        }
    }
    asks.push(Ask::get("/fields"));
    asks.push(Ask::get("/fields").old());
    asks.push(Ask::new("HEAD", "/fields"));
    asks.push(Ask::get("/forbidden/x"));
    asks
}

/// Requests whose answer says how they arrived.
pub(super) fn echoes() -> Vec<Ask> {
    let mut asks = Vec::new();
    for query in QUERIES {
        for path in ["/echo", "/echo/a//b/./c/../d", "/echo/%41%2F%2f%5C", "/echo/~!$&'()*+,;=:@"] {
            asks.push(Ask::get(format!("{path}{query}")));
        }
    }
    for (name, value) in [
        ("X-Odd", "a\tb, \"c\" (d) <e> [f] {g} \\"),
        ("X-Odd", "grüße, мир"),
        ("x-odd", ""),
        ("X-ODD", "   spaces   "),
        ("Cookie", "a=1; b=\"2\"; c"),
        ("Authorization", "Bearer abc.def-_~+/="),
        ("Accept", "text/html;q=0.9, */*;q=0.1"),
        ("User-Agent", "odd/1.0 (x; y) z"),
        ("Referer", "http://other.test/?q"),
        ("Origin", "null"),
        ("Accept-Encoding", "zstd, br;q=0.5"),
        ("Range", "bytes=2-7"),
        ("Content-Type", "multipart/form-data; boundary=\"a b\""),
        ("Max-Forwards", "3"),
        ("TE", "trailers"),
        ("Cache-Control", "no-cache, no-store"),
    ] {
        asks.push(Ask::get("/echo").with(name, value));
        asks.push(Ask::get("/echo").old().with(name, value));
        asks.push(Ask::new("POST", "/echo").with(name, value).body("hello"));
    }
    asks.push(Ask::get("/echo").with("X-Odd", "x".repeat(7000)));
    asks.push(Ask::get("/echo").with("X-Odd", "1").with("X-Odd", "2").with("x-odd", "3"));
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT", "M-SEARCH", "x.y'z|~"] {
        asks.push(Ask::new(method, "/echo"));
        asks.push(Ask::new(method, "/echo").body("a body"));
        asks.push(Ask::new(method, "/echo").body("a body ".repeat(3000)).chunked());
    }
    asks
}

/// Bodies that go up, and come down again.
pub(super) fn uploads() -> Vec<Ask> {
    let mut asks = Vec::new();
    for size in [0, 1, 999, 1000, 1001, 4096, 65_536, 300_000] {
        let path = format!("/dav/{size}.txt");
        let body = "upload! ".repeat(size / 8 + 1)[..size].to_owned();
        asks.push(Ask::new("PUT", &path).body(&body));
        asks.push(Ask::get(&path));
        asks.push(Ask::new("PUT", &path).body(body.to_uppercase()).chunked());
        asks.push(Ask::get(&path));
        asks.push(Ask::new("PUT", &path).body(&body).old());
        asks.push(Ask::new("HEAD", &path));
    }
    asks.push(Ask::new("DELETE", "/dav/missing.txt"));
    asks.push(Ask::new("MKCOL", "/dav/a.txt/"));
    asks
}
