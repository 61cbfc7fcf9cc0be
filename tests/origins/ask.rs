//! One request as it is put to an origin, and to the proxy before it.

use std::fmt::Write;

/// A request.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    target: String,
    /// Of HTTP/1.
    pub(super) minor: u8,
    fields: Vec<(String, String)>,
    body: Option<String>,
    chunked: bool,
}

/// As it is sent, without most of its body.
impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.bytes();
        write!(
            f,
            "{:?} of {} bytes",
            String::from_utf8_lossy(&bytes[..bytes.len().min(300)]),
            bytes.len()
        )
    }
}

impl Ask {
    pub(super) fn new(method: &'static str, target: impl Into<String>) -> Self {
        let target = target.into();
        Self { method, target, minor: 1, fields: Vec::new(), body: None, chunked: false }
    }

    pub(super) fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn old(mut self) -> Self {
        self.minor = 0;
        self
    }

    pub(super) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(super) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Whether the connection may carry another request afterwards.
    pub(super) fn keeps(&self) -> bool {
        self.minor == 1 && !self.fields.iter().any(|(name, _)| name == "Connection")
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self { method, target, minor, .. } = self;
        let mut text = format!("{method} {target} HTTP/1.{minor}\r\nHost: app.test\r\n");
        let mut put = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).expect("a string takes it");
        };
        for (name, value) in &self.fields {
            put(format_args!("{name}: {value}\r\n"));
        }
        match &self.body {
            None => put(format_args!("\r\n")),
            Some(body) if self.chunked => {
                put(format_args!("Transfer-Encoding: chunked\r\n\r\n"));
                let mut rest = body.as_str();
                while !rest.is_empty() {
                    let (chunk, more) = rest.split_at(rest.len().min(1000));
                    put(format_args!("{:x}\r\n{chunk}\r\n", chunk.len()));
                    rest = more;
                }
                put(format_args!("0\r\n\r\n"));
            }
            Some(body) => put(format_args!("Content-Length: {}\r\n\r\n{body}", body.len())),
        }
        text.into_bytes()
    }
}
