//! Files of an nginx behind both.

use super::Row;

const ETAG: &str = "\"6553f100-15e0\"";
const DAY: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const LONG_AGO: &str = "Sat, 01 Jan 2000 00:00:00 GMT";

pub(super) fn rows() -> Vec<Row> {
    let get = |name, fields: &str| Row::ask(name, "GET /files/lines.txt", fields);
    let tagged = |field: &str| format!("{field}: {ETAG}");
    let part = "Range: bytes=10-29";
    vec![
        get("a whole file", "").comes(200),
        Row::ask("HEAD of a file", "HEAD /files/lines.txt", "").comes(200),
        Row::ask("a file that is not there", "GET /files/none.txt", "").comes(404),
        Row::ask("HEAD of a file that is not there", "HEAD /files/none.txt", "").comes(404),
        get("one range", part).comes(206),
        get("an open range", "Range: bytes=5000-").comes(206),
        get("the last bytes", "Range: bytes=-10").comes(206),
        get("several ranges", "Range: bytes=0-9,20-29,-5").comes(206),
        get("a range that cannot be had", "Range: bytes=999999-").comes(416),
        get("a range of another unit", "Range: lines=1-2").comes(200),
        get("`If-Range` that holds", &format!("{part}\r\n{}", tagged("If-Range"))).comes(206),
        get("`If-Range` that does not", &format!("{part}\r\nIf-Range: \"other\"")).comes(200),
        get("`If-None-Match` that holds: 304, no body", &tagged("If-None-Match")).comes(304),
        get("`If-None-Match` that does not", "If-None-Match: \"other\", \"another\"").comes(200),
        get("`If-None-Match: *`", "If-None-Match: *").comes(304),
        get("`If-Modified-Since` its day: 304", &format!("If-Modified-Since: {DAY}")).comes(304),
        get("`If-Modified-Since` long ago", &format!("If-Modified-Since: {LONG_AGO}")).comes(200),
        get("`If-Match` that holds", &tagged("If-Match")).comes(200),
        get("`If-Match` that does not: 412", "If-Match: \"other\"").comes(412),
        get("`If-Unmodified-Since` long ago: 412", &format!("If-Unmodified-Since: {LONG_AGO}"))
            .comes(412),
        Row::ask("HEAD with a range", "HEAD /files/lines.txt", part).comes(206),
        Row::ask("HEAD, 304", "HEAD /files/lines.txt", &tagged("If-None-Match")).comes(304),
        Row::ask("POST to a file: 405", "POST /files/lines.txt", "Content-Length: 2")
            .body("hi")
            .comes(405),
    ]
}
