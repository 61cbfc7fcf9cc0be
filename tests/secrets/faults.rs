//! What origins of HTTP/1.1 do, with secrets in all that they say.

use super::secret;
use crate::rig::origin::Conversation;

/// One way to fail.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// What is said of it; with a `|` between where the kernel decides.
    pub(super) cause: &'static str,
    /// Once a request came.
    pub(super) act: fn(Conversation),
}

/// Sends this, with a secret in place of each `*`, and closes.
fn say(mut connection: Conversation, words: &str) {
    connection.send(words.replace('*', &secret("origin")));
    connection.close();
}

/// The same, and nothing more.
fn stop(mut connection: Conversation, words: &str) {
    connection.send(words.replace('*', &secret("origin")));
    connection.hold();
}

macro_rules! faults {
    ($($name:literal $cause:literal $act:expr;)+) => {
        pub(super) const ALL: &[Fault] =
            &[$(Fault { name: $name, cause: $cause, act: $act },)+];
    };
}

const OK: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: *\r\n";

fn ok(connection: Conversation, rest: &str) {
    say(connection, &format!("{OK}{rest}"));
}

faults! {
    "no-colon" "response_malformed" |c| ok(c, "*\r\n\r\n");
    "space-in-name" "response_malformed" |c| ok(c, "Bad *: *\r\n\r\n");
    "control-in-value" "response_malformed" |c| ok(c, "X-A: *\u{1}*\r\n\r\n");
    "bare-cr" "response_malformed" |c| ok(c, "X-A: *\r*\r\n\r\n");
    "second-line" "response_malformed" |c| say(c, "SSH-2.0-server\r\n*\r\n\r\n");
    "second-line-of-a-page" "response_malformed" |c| say(c, "<html>\n<b>*</b></html>\r\n\r\n");
    "large-section" "response_header_too_large"
        |c| ok(c, &(format!("X-A: *{}\r\n", "x".repeat(1500)).repeat(4) + "\r\n"));
    "large-line" "response_header_line_too_large"
        |c| ok(c, &format!("X-A: *{}\r\n\r\n", "*".repeat(200)));
    "many-fields" "response_header_too_large" |c| ok(c, &("X: *\r\n".repeat(40) + "\r\n"));
    "two-lengths" "response_framing_conflict"
        |c| ok(c, "Content-Length: 5\r\nContent-Length: *\r\n\r\nhello");
    "length-in-words" "response_framing_conflict" |c| ok(c, "Content-Length: *\r\n\r\nhello");
    "large-body" "response_body_too_large" |c| ok(c, "Content-Length: 5000\r\n\r\n*");
    "chunk-line" "response_bad_transfer_coding"
        |c| ok(c, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n*\r\n");
    "chunk-end" "response_bad_transfer_coding"
        |c| ok(c, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello*\r\n");
    "chunk-extension" "response_truncated|response_bad_transfer_coding"
        |c| ok(c, "Transfer-Encoding: chunked\r\n\r\n5;*=\"*\"\r\nhello\r\n9;*\r\n*");
    "trailers" "response_bad_transfer_coding|response_truncated"
        |c| ok(c, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: *\r\n*");
    "half-a-body" "response_truncated" |c| ok(c, "Content-Length: 100\r\n\r\n*");
    "stalled-body" "response_stalled" |c| stop(c, &format!("{OK}Content-Length: 100\r\n\r\n*"));
    "half-a-header" "origin_closed" |c| ok(c, "X-Half: *");
    "stalled-header" "origin_slow" |c| stop(c, &format!("{OK}X-Half: *"));
    "reset-in-a-header" "origin_reset" |mut c| {
        c.send(format!("HTTP/1.1 200 OK\r\nX: {}", secret("reset")));
        c.reset();
    };
    "hint" "origin_closed" |c| say(c, "HTTP/1.1 103 Early Hints\r\nLink: *\r\n\r\n");
    "error" "origin_error"
        |c| say(c, "HTTP/1.1 503 *\r\nSet-Cookie: *\r\nX-Why: *\r\nContent-Length: 17\r\n\r\n*");
    "switch" "upgrade_failed"
        |c| say(c, "HTTP/1.1 101 *\r\nConnection: upgrade\r\nUpgrade: *\r\n\r\n*");
    "tls-alert" "origin_expects_tls|response_malformed" |mut c| {
        c.send([b"\x15\x03\x01\x00\x02\x02\x0a\r\n", secret("alert").as_bytes()].concat());
        c.close();
    };
}
