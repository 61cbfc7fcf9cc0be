//! How a client begins to speak TLS: what it offers (RFC 8446 section 4.1.2). Only looked at when
//! nothing came of it, for rustls tells no more than that.

/// What a client offered, as far as it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// The versions, newest first as most clients have them.
    pub(super) versions: Vec<&'static str>,
    /// The server name that it asked for (RFC 6066 section 3).
    pub(super) name: Option<String>,
    /// The protocols on top of it (RFC 7301).
    pub(super) protocols: Vec<String>,
}

/// What a record of TLS that holds a message of a handshake begins with.
pub(super) const HANDSHAKE: u8 = 22;

/// The most names of protocols that are told.
const PROTOCOLS: usize = 8;

impl Hello {
    /// Reads it from the first bytes of a connection.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut hello = Self::default();
        hello.fill(&mut Input(bytes))?;
        Some(hello)
    }

    fn fill(&mut self, input: &mut Input<'_>) -> Option<()> {
        // The header of the record, of which only the kind counts, and that of the message.
        (input.number(1)? == usize::from(HANDSHAKE)).then_some(())?;
        input.take(4)?;
        (input.number(1)? == 1).then_some(())?;
        input.take(3)?;
        let oldest = input.number(2)?;
        input.take(32)?;
        for length in [1, 2, 1] {
            input.vector(length)?;
        }
        let mut extensions = input.vector(2).unwrap_or(Input(&[]));
        while let (Some(kind), Some(mut body)) = (extensions.number(2), extensions.vector(2)) {
            match kind {
                0 => self.name = name(&mut body),
                16 => self.protocols = protocols(&mut body),
                43 => self.versions = versions(&mut body),
                _ => {}
            }
        }
        if self.versions.is_empty() {
            self.versions.extend(version(oldest));
        }
        Some(())
    }
}

fn name(body: &mut Input<'_>) -> Option<String> {
    let mut names = body.vector(2)?;
    (names.number(1)? == 0).then_some(())?;
    String::from_utf8(names.vector(2)?.0.to_vec()).ok()
}

fn protocols(body: &mut Input<'_>) -> Vec<String> {
    let mut names = body.vector(2).unwrap_or(Input(&[]));
    let next = std::iter::from_fn(|| names.vector(1));
    next.take(PROTOCOLS).map(|name| name.0.escape_ascii().to_string()).collect()
}

fn versions(body: &mut Input<'_>) -> Vec<&'static str> {
    let mut numbers = body.vector(1).unwrap_or(Input(&[]));
    std::iter::from_fn(|| numbers.number(2)).filter_map(version).take(PROTOCOLS).collect()
}

const fn version(number: usize) -> Option<&'static str> {
    match number {
        0x0300 => Some("SSL 3.0"),
        0x0301 => Some("TLS 1.0"),
        0x0302 => Some("TLS 1.1"),
        0x0303 => Some("TLS 1.2"),
        0x0304 => Some("TLS 1.3"),
        _ => None,
    }
}

/// Bytes that are still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes.
    fn number(&mut self, length: usize) -> Option<usize> {
        Some(self.take(length)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// Bytes whose length is told before them, in so many bytes.
    fn vector(&mut self, length: usize) -> Option<Self> {
        let length = self.number(length)?;
        self.take(length).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::crypto::ring;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn hello() -> Vec<u8> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = "app.example".try_into().expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("a vector takes it");
        bytes
    }

    #[test]
    fn what_rustls_offers_is_read() {
        let read = Hello::read(&hello()).expect("it is one");
        assert_eq!(read.name.as_deref(), Some("app.example"));
        assert_eq!(read.protocols, ["h2", "http/1.1"]);
        assert!(read.versions.contains(&"TLS 1.3") && read.versions.contains(&"TLS 1.2"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_borne(cut in 0usize..400, at in 0usize..400, byte in any::<u8>()) {
            let mut bytes = hello();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(cut);
            let _ = Hello::read(&bytes);
        }
    }
}
