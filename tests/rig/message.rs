//! Requests and responses, parsed from the bytes as they came.

/// The fields of a message in order, names as they were written.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Fields(pub(crate) Vec<(String, Vec<u8>)>);

/// A request as an origin got it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Of HTTP/1.
    pub(crate) minor: u8,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By its own count: the last chunk, the length, or no body at all.
    Counted,
    /// With the connection, and so whole only as far as anybody can tell.
    Closed,
    /// With the connection closed, before its count was full.
    Truncated,
    /// With the connection reset.
    Reset,
}

/// A response as a client got it.
#[derive(Clone)]
pub(crate) struct Response {
    /// The interim responses that came before it.
    pub(crate) interim: Vec<(u16, Fields)>,
    /// Of HTTP/1; 0 for HTTP/2.
    pub(crate) minor: u8,
    /// Whether it came over HTTP/2.
    pub(crate) http2: bool,
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) fields: Fields,
    /// With the chunked coding taken off.
    pub(crate) body: Vec<u8>,
    /// Whether it came in the chunked coding.
    pub(crate) chunked: bool,
    pub(crate) end: End,
}

/// How a response's body is delimited (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Absent,
    Length(usize),
    Chunked,
    Close,
}

const FIELDS_MAX: usize = 1024;

impl Fields {
    fn of(parsed: &[httparse::Header<'_>]) -> Self {
        Self(parsed.iter().map(|f| (f.name.to_owned(), f.value.to_vec())).collect())
    }

    /// All values of this name, as text.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The value of this name; several are joined by commas (RFC 9110 section 5.3).
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let all = self.all(name);
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// As text, for whoever reads why a test failed.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields = self.0.iter().map(|(name, value)| (name, String::from_utf8_lossy(value)));
        f.debug_map().entries(fields).finish()
    }
}

/// The same, with the beginning of its body.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { interim, minor, http2, status, reason, fields, body, chunked, end } = self;
        let major = u8::from(*http2) + 1;
        let start = String::from_utf8_lossy(&body[..body.len().min(2000)]);
        write!(f, "{interim:?} HTTP/{major}.{minor} {status} {reason} {fields:#?} ")?;
        write!(f, "{} bytes, chunked: {chunked}, end: {end:?}: {start:?}", body.len())
    }
}

/// A request's head and its length; `None` when there is more to come.
pub(crate) fn request(bytes: &[u8]) -> Option<(Request, usize)> {
    let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(bytes).expect("the proxy sends HTTP")
    else {
        return None;
    };
    let request = Request {
        method: head.method.expect("complete").to_owned(),
        target: head.path.expect("complete").to_owned(),
        minor: head.version.expect("complete"),
        fields: Fields::of(head.headers),
        body: Vec::new(),
    };
    Some((request, length))
}

/// A response's head and its length; `None` when there is more to come.
pub(crate) fn response(bytes: &[u8]) -> Option<(Response, usize)> {
    let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(bytes).unwrap_or_else(|broken| {
        panic!("no HTTP response ({broken}): {:?}", String::from_utf8_lossy(bytes))
    }) else {
        return None;
    };
    let response = Response {
        interim: Vec::new(),
        minor: head.version.expect("complete"),
        http2: false,
        status: head.code.expect("complete"),
        reason: head.reason.unwrap_or_default().to_owned(),
        fields: Fields::of(head.headers),
        body: Vec::new(),
        chunked: false,
        end: End::Counted,
    };
    Some((response, length))
}

impl Response {
    /// How the body of this answer to a request with `method` is delimited.
    pub(crate) fn framing(&self, method: &str) -> Framing {
        let coding = self.fields.text("transfer-encoding");
        if method == "HEAD" || self.status < 200 || [204, 304].contains(&self.status) {
            Framing::Absent
        } else if coding.is_some_and(|coding| coding.to_ascii_lowercase().ends_with("chunked")) {
            Framing::Chunked
        } else if let Some(length) = self.fields.text("content-length") {
            Framing::Length(length.parse().expect("one number"))
        } else {
            Framing::Close
        }
    }

    /// Whether it is whole.
    pub(crate) fn whole(&self) -> bool {
        matches!(self.end, End::Counted | End::Closed)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Takes the chunked coding off: the body as far as it came, and the length of the whole coding
/// once its last chunk and trailer section are there.
pub(crate) fn unchunk(bytes: &[u8]) -> (Vec<u8>, Option<usize>) {
    let mut body = Vec::new();
    let mut at = 0;
    while let Ok(httparse::Status::Complete((skip, size))) =
        httparse::parse_chunk_size(&bytes[at..])
    {
        at += skip;
        let size = usize::try_from(size).expect("a chunk fits into memory");
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let end = match httparse::parse_headers(&bytes[at..], &mut fields) {
                Ok(httparse::Status::Complete((length, _))) => Some(at + length),
                _ => None,
            };
            return (body, end);
        }
        let there = size.min(bytes.len() - at);
        body.extend_from_slice(&bytes[at..at + there]);
        if bytes.len() < at + size + 2 {
            break;
        }
        at += size + 2;
    }
    (body, None)
}

/// Counts the bytes of a chunked body and forgets them; `more` reads, and says whether there was
/// any. `None` when the body ended before its last chunk.
pub(crate) fn swallow_chunks(
    buffer: &mut Vec<u8>,
    mut more: impl FnMut(&mut Vec<u8>) -> bool,
) -> Option<usize> {
    let mut came = 0;
    loop {
        let Ok(httparse::Status::Complete((skip, size))) = httparse::parse_chunk_size(buffer)
        else {
            if !more(buffer) {
                return None;
            }
            continue;
        };
        let size = usize::try_from(size).expect("a chunk fits into memory");
        // With the end of the line, and that of the empty trailer section after the last chunk.
        let mut left = skip + size + 2;
        while left > 0 {
            if buffer.is_empty() && !more(buffer) {
                return None;
            }
            let there = left.min(buffer.len());
            buffer.drain(..there);
            left -= there;
        }
        came += size;
        if size == 0 {
            return Some(came);
        }
    }
}

/// The message `raw` as a response to a request with `method`, read to its end.
pub(crate) fn whole_response(raw: &[u8], method: &str) -> Option<Response> {
    let mut at = 0;
    let mut interim = Vec::new();
    loop {
        let (mut response, length) = response(&raw[at..])?;
        at += length;
        if response.status < 200 && response.status != 101 {
            interim.push((response.status, response.fields));
            continue;
        }
        let rest = &raw[at..];
        response.interim = interim;
        response.body = match response.framing(method) {
            Framing::Absent => Vec::new(),
            Framing::Length(length) => rest.get(..length)?.to_vec(),
            Framing::Chunked => {
                let (body, end) = unchunk(rest);
                end?;
                body
            }
            Framing::Close => rest.to_vec(),
        };
        return Some(response);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_off_as_far_as_they_are_there() {
        let whole = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\nrest";
        assert_eq!(unchunk(whole), (b"abcde".to_vec(), Some(whole.len() - 4)));
        assert_eq!(unchunk(b"3\r\nab"), (b"ab".to_vec(), None));
        assert_eq!(unchunk(b"0\r\n"), (Vec::new(), None));
        assert_eq!(unchunk(b"3\r\nabc\r\nnonsense\r\n"), (b"abc".to_vec(), None));
    }

    #[test]
    fn chunks_are_counted_however_they_come() {
        let mut bytes = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n".iter();
        let one = |buffer: &mut Vec<u8>| bytes.next().map(|byte| buffer.push(*byte)).is_some();
        assert_eq!(swallow_chunks(&mut Vec::new(), one), Some(5));
        assert_eq!(swallow_chunks(&mut b"3\r\nabc\r\n".to_vec(), |_| false), None);
    }

    #[test]
    fn a_response_is_whole_only_with_all_of_its_body() {
        let part = |raw: &str, method| whole_response(raw.as_bytes(), method).map(|r| r.body);
        let counted = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(part(&format!("{counted}abc"), "GET"), Some(b"abc".to_vec()));
        assert_eq!(part(&format!("{counted}ab"), "GET"), None);
        assert_eq!(part(counted, "HEAD"), Some(Vec::new()));
        let hinted = format!("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n{counted}abc");
        let hinted = whole_response(hinted.as_bytes(), "GET").expect("whole");
        assert_eq!((hinted.status, hinted.interim[0].0), (200, 103));
    }
}
