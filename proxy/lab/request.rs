//! A request's head.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::wire::PATIENCE;

const FIELDS_MAX: usize = 512;

/// How a request's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Absent,
    /// By its length.
    Length(u64),
    /// By its transfer coding.
    Chunked,
}

/// What the query asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// `delay`: milliseconds, ten minutes at most.
    pub(super) delay: Option<Duration>,
    /// `bytes`: 64 MiB at most.
    pub(super) bytes: Option<usize>,
}

/// A parsed head.
#[derive(Debug)]
pub(super) struct Request {
    /// The head as it came.
    pub(super) raw: Bytes,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) choice: Choice,
    /// Of HTTP/1.
    pub(super) minor: u8,
    pub(super) framing: Framing,
    fields: Vec<(String, String)>,
}

impl Choice {
    const BYTES_MAX: usize = 64 * 1024 * 1024;

    fn parse(query: &str) -> Self {
        let mut choice = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "delay" => {
                    choice.delay =
                        value.parse().ok().map(|ms| Duration::from_millis(ms).min(PATIENCE));
                }
                "bytes" => {
                    choice.bytes = value.parse().ok().map(|n: usize| n.min(Self::BYTES_MAX));
                }
                _ => {}
            }
        }
        choice
    }
}

fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The length of the head that `bytes` begin with; `None` when there is more to come.
pub(super) fn head_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    match httparse::Request::new(&mut fields).parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Ok(Some(length)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(bad("not a request")),
    }
}

impl Request {
    pub(super) fn parse(raw: Bytes) -> io::Result<Self> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Request::new(&mut fields);
        let (Ok(httparse::Status::Complete(_)), Some(method), Some(target), Some(minor)) =
            (head.parse(&raw), head.method, head.path, head.version)
        else {
            return Err(bad("not a request"));
        };
        let origin_form = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => target,
        };
        let (path, query) = origin_form.split_once('?').unwrap_or((origin_form, ""));
        let fields: Vec<(String, String)> = head
            .headers
            .iter()
            .map(|f| (f.name.to_owned(), String::from_utf8_lossy(f.value).into_owned()))
            .collect();
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            choice: Choice::parse(query),
            minor,
            framing: Self::framing(&fields)?,
            fields,
            raw,
        })
    }

    fn framing(fields: &[(String, String)]) -> io::Result<Framing> {
        let values = |name: &'static str| {
            fields.iter().filter(move |f| f.0.eq_ignore_ascii_case(name)).map(|f| f.1.trim())
        };
        if let Some(coding) = values("transfer-encoding").next_back() {
            return if coding.eq_ignore_ascii_case("chunked") {
                Ok(Framing::Chunked)
            } else {
                Err(bad("transfer coding"))
            };
        }
        match values("content-length").next() {
            None => Ok(Framing::Absent),
            Some(length) => match length.parse() {
                Ok(0) => Ok(Framing::Absent),
                Ok(length) => Ok(Framing::Length(length)),
                Err(_) => Err(bad("content length")),
            },
        }
    }

    /// The first field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|f| f.0.eq_ignore_ascii_case(name)).map(|f| f.1.as_str())
    }

    /// Whether a list-valued field has this member.
    pub(super) fn lists(&self, name: &str, member: &str) -> bool {
        self.fields
            .iter()
            .filter(|f| f.0.eq_ignore_ascii_case(name))
            .flat_map(|f| f.1.split(','))
            .any(|m| m.trim().eq_ignore_ascii_case(member))
    }

    /// Whether the client wants the connection kept (RFC 9112 section 9.3).
    pub(super) fn persists(&self) -> bool {
        if self.minor == 0 {
            self.lists("connection", "keep-alive")
        } else {
            !self.lists("connection", "close")
        }
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The request line.
    pub(super) fn line(&self) -> String {
        let line = self.raw.split(|b| *b == b'\r' || *b == b'\n').find(|line| !line.is_empty());
        String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> io::Result<Request> {
        Request::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn the_query_chooses_within_bounds() {
        let request = parse(
            "GET http://h/fault/x?delay=250&bytes=999999999999&z=1 HTTP/1.1\r\nHost: h\r\n\r\n",
        )
        .expect("parses");
        assert_eq!(request.path, "/fault/x");
        assert_eq!(request.choice.delay, Some(Duration::from_millis(250)));
        assert_eq!(request.choice.bytes, Some(Choice::BYTES_MAX));
        assert_eq!(
            request.line(),
            "GET http://h/fault/x?delay=250&bytes=999999999999&z=1 HTTP/1.1"
        );
        let forever = Choice::parse("delay=99999999999");
        assert_eq!(forever.delay, Some(PATIENCE));
    }

    #[test]
    fn connections_persist_by_version_and_wish() {
        for (head, persists) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: te, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ] {
            assert_eq!(parse(head).expect("parses").persists(), persists, "{head:?}");
        }
    }

    #[test]
    fn bodies_are_delimited_by_length_or_coding() {
        for (field, framing) in [
            ("X: y", Some(Framing::Absent)),
            ("Content-Length: 12", Some(Framing::Length(12))),
            ("Content-Length: -12", None),
            ("Transfer-Encoding: Chunked", Some(Framing::Chunked)),
            ("Transfer-Encoding: gzip", None),
        ] {
            let request = parse(&format!("POST / HTTP/1.1\r\n{field}\r\n\r\n"));
            assert_eq!(request.ok().map(|r| r.framing), framing, "{field}");
        }
    }
}
