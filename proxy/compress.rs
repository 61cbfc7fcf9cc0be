//! Answers compressed on their way, piece by piece: what came from the origin goes on at once.

use std::io::{self, Write as _};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::write::GzEncoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderName, HeaderValue, Method};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use whodunit_filters::attribution::cause::proxy::PROXY_BUG;
use whodunit_filters::attribution::{Failure, Key};
use whodunit_filters::chain::{Edit, ResponseView};
use whodunit_filters::compression::{Coding, Compression, Decision, Levels};
use whodunit_pingora::{Noted as _, deny};

/// The window of brotli and zstd, as a power of two: what an answer under way may take of memory.
const WINDOW: u32 = 19;
/// Brotli's own buffer for what it puts out.
const BUFFER: usize = 4096;

/// What compresses one answer. Dropped before its end it leaves a stream that is visibly cut off.
pub(crate) struct Encoder(Codec);

enum Codec {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Gzip(GzEncoder<Vec<u8>>),
    Done,
}

/// Decides about an answer, and changes its header section accordingly.
pub(crate) fn begin(
    settings: &Compression,
    session: &mut Session,
    response: &mut ResponseHeader,
) -> io::Result<Option<Encoder>> {
    let request = session.req_header();
    let view = ResponseView {
        status: response.status,
        headers: &response.headers,
        method: &request.method,
    };
    let decision = settings.decide(request.version, &request.headers, &view);
    if decision == Decision::Leave {
        return Ok(None);
    }
    let came = response.headers.clone();
    decision.apply(&request.method, &came, &mut Answer(response));
    let Decision::Encode(coding) = decision else { return Ok(None) };
    // An answer without a body may come without a word about its length, over HTTP/2.
    if request.method != Method::HEAD {
        session.note().bodiless = Some(|response| drop(response.remove_header(&CONTENT_ENCODING)));
    }
    Encoder::new(coding, settings.levels).map(Some)
}

/// An encoder takes any bytes: if it fails, that is a fault of ours.
pub(crate) fn sure<T>(done: io::Result<T>) -> pingora::Result<T> {
    done.map_err(|error| {
        let at = format!("compressing an answer: {error}");
        deny(Failure::denied(&PROXY_BUG).with(Key::At, at))
    })
}

impl Encoder {
    fn new(coding: Coding, levels: Levels) -> io::Result<Self> {
        let out = Vec::new();
        Ok(Self(match coding {
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, levels.zstd.into())?;
                encoder.window_log(WINDOW)?;
                Codec::Zstd(encoder)
            }
            Coding::Br => Codec::Brotli(Box::new(CompressorWriter::new(
                out,
                BUFFER,
                levels.br.into(),
                WINDOW,
            ))),
            Coding::Gzip => {
                Codec::Gzip(GzEncoder::new(out, flate2::Compression::new(levels.gzip.into())))
            }
        }))
    }

    /// What goes on for a piece of the body; nothing for nothing, but at the end.
    pub(crate) fn encode(&mut self, piece: Option<&Bytes>, end: bool) -> io::Result<Option<Bytes>> {
        let piece = piece.map_or(&[][..], |piece| piece);
        if end {
            let codec = std::mem::replace(&mut self.0, Codec::Done);
            return codec.finish(piece).map(|out| out.map(Bytes::from));
        }
        if piece.is_empty() {
            return Ok(None);
        }
        let out = match &mut self.0 {
            Codec::Zstd(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                encoder.get_mut()
            }
            Codec::Brotli(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                encoder.get_mut()
            }
            Codec::Gzip(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                encoder.get_mut()
            }
            Codec::Done => return Err(io::Error::other("a body went on after its end")),
        };
        Ok(Some(std::mem::take(out).into()))
    }
}

impl Codec {
    fn finish(self, piece: &[u8]) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Zstd(mut encoder) => {
                encoder.write_all(piece)?;
                encoder.finish().map(Some)
            }
            Self::Brotli(mut encoder) => {
                encoder.write_all(piece)?;
                Ok(Some(encoder.into_inner()))
            }
            Self::Gzip(mut encoder) => {
                encoder.write_all(piece)?;
                encoder.finish().map(Some)
            }
            // The end may be told of twice.
            Self::Done => Ok(None),
        }
    }
}

/// Edits the header section of an answer, which keeps the names as they were spelt beside the map.
struct Answer<'a>(&'a mut ResponseHeader);

impl Edit for Answer<'_> {
    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.insert_header(spelt(&name), value).expect("name and value were checked when made");
    }

    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.append_header(spelt(&name), value).expect("name and value were checked when made");
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove_header(name);
    }
}

/// A name of those that compression sets as it is commonly spelt.
fn spelt(name: &HeaderName) -> &'static str {
    match name.as_str() {
        "content-encoding" => "Content-Encoding",
        "etag" => "ETag",
        "transfer-encoding" => "Transfer-Encoding",
        "vary" => "Vary",
        other => unreachable!("compression sets no `{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    const ALL: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];

    /// What can be read of a stream, and whether it is whole.
    fn decoded(coding: Coding, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        let whole = match coding {
            Coding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(bytes).expect("a decoder");
                decoder.read_to_end(&mut out)
            }
            Coding::Br => brotli::Decompressor::new(bytes, BUFFER).read_to_end(&mut out),
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
        };
        (out, whole.is_ok())
    }

    #[test]
    fn each_piece_can_be_read_at_once_and_the_end_is_told_apart_from_a_cut() {
        for coding in ALL {
            let mut encoder = Encoder::new(coding, Levels::default()).expect("an encoder");
            let (mut wire, mut told) = (Vec::new(), Vec::new());
            for turn in 0..50_u32 {
                let piece = Bytes::from(format!("piece {turn} of a body; ").repeat(3));
                let out = encoder.encode(Some(&piece), false).expect("it takes all");
                wire.extend_from_slice(&out.expect("something for something"));
                told.extend_from_slice(&piece);
                assert_eq!(decoded(coding, &wire), (told.clone(), false), "{coding:?} {turn}");
            }
            assert!(wire.len() < told.len(), "{coding:?}");
            assert_eq!(encoder.encode(Some(&Bytes::new()), false).expect("nothing"), None);
            assert_eq!(encoder.encode(None, false).expect("nothing"), None);
            let end = encoder.encode(None, true).expect("an end").expect("it is told");
            wire.extend_from_slice(&end);
            assert_eq!(decoded(coding, &wire), (told, true), "{coding:?}");
            assert_eq!(encoder.encode(None, true).expect("twice"), None);
            assert!(encoder.encode(Some(&Bytes::from_static(b"x")), false).is_err());
        }
    }

    #[test]
    fn a_body_in_one_piece_and_one_that_cannot_be_made_smaller_come_through() {
        let mut noise = vec![0_u8; 100_000];
        let mut state = 1_u32;
        for byte in &mut noise {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
        for coding in ALL {
            for body in [&b""[..], b"x", &noise, &b"text ".repeat(100_000)] {
                let mut encoder = Encoder::new(coding, Levels::default()).expect("an encoder");
                let piece = Bytes::copy_from_slice(body);
                let wire = encoder.encode(Some(&piece), true).expect("an end").expect("it is told");
                assert_eq!(decoded(coding, &wire), (body.to_vec(), true), "{coding:?}");
            }
        }
    }
}
