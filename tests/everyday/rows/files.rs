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
        get("a whole file", ""),
        Row::ask("HEAD of a file", "HEAD /files/lines.txt", ""),
        Row::ask("a file that is not there", "GET /files/none.txt", ""),
        Row::ask("HEAD of a file that is not there", "HEAD /files/none.txt", ""),
        get("one range", part),
        get("an open range", "Range: bytes=5000-"),
        get("the last bytes", "Range: bytes=-10"),
        get("several ranges", "Range: bytes=0-9,20-29,-5"),
        get("a range that cannot be had", "Range: bytes=999999-"),
        get("a range of another unit", "Range: lines=1-2"),
        get("`If-Range` that holds", &format!("{part}\r\n{}", tagged("If-Range"))),
        get("`If-Range` that does not", &format!("{part}\r\nIf-Range: \"other\"")),
        get("`If-None-Match` that holds: 304, no body", &tagged("If-None-Match")),
        get("`If-None-Match` that does not", "If-None-Match: \"other\", \"another\""),
        get("`If-None-Match: *`", "If-None-Match: *"),
        get("`If-Modified-Since` its day: 304", &format!("If-Modified-Since: {DAY}")),
        get("`If-Modified-Since` long ago", &format!("If-Modified-Since: {LONG_AGO}")),
        get("`If-Match` that holds", &tagged("If-Match")),
        get("`If-Match` that does not: 412", "If-Match: \"other\""),
        get("`If-Unmodified-Since` long ago: 412", &format!("If-Unmodified-Since: {LONG_AGO}")),
        Row::ask("HEAD with a range", "HEAD /files/lines.txt", part),
        Row::ask("HEAD, 304", "HEAD /files/lines.txt", &tagged("If-None-Match")),
        Row::ask("POST to a file: 405", "POST /files/lines.txt", "Content-Length: 2").body("hi"),
    ]
}
