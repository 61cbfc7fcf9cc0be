//! The first bytes that come in where TLS is expected: enough of them to tell what is spoken.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

use super::hello::HANDSHAKE;
use super::plain::Plain;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// TLS, or what begins like it.
    Tls,
    /// HTTP without TLS.
    Http,
    /// Neither.
    Other,
}

/// The most that is read to find out.
const MOST: usize = 16 << 10;
/// Methods have no more letters than that (`UPDATEREDIRECTREF`).
const METHOD: usize = 17;
/// What is read at once.
const PIECE: usize = 4096;

/// Reads until it can be told what is spoken, or the client ends.
pub(super) async fn open(plain: &mut Plain, opening: &mut BytesMut) -> io::Result<Spoken> {
    loop {
        let end = fill(plain, opening).await? == 0;
        if let Some(spoken) = spoken(opening, end || opening.len() >= MOST) {
            return Ok(spoken);
        }
    }
}

/// What these bytes are; `None` where more have to come, unless these are all.
fn spoken(bytes: &[u8], all: bool) -> Option<Spoken> {
    match bytes {
        [HANDSHAKE, _, _, high, low, rest @ ..] => {
            let record = usize::from(*high) << 8 | usize::from(*low);
            (all || rest.len() >= record).then_some(Spoken::Tls)
        }
        [HANDSHAKE, ..] | [] => all.then_some(Spoken::Tls),
        _ => {
            let letters = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
            match bytes.get(letters) {
                Some(b' ') if (1..=METHOD).contains(&letters) => {
                    let whole = bytes.windows(4).any(|four| four == b"\r\n\r\n");
                    (all || whole).then_some(Spoken::Http)
                }
                None if letters <= METHOD && !all => None,
                _ => Some(Spoken::Other),
            }
        }
    }
}

async fn fill(plain: &mut Plain, into: &mut BytesMut) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut piece = ReadBuf::uninit(&mut space);
        Pin::new(&mut *plain).poll_read(cx, &mut piece).map_ok(|()| {
            into.extend_from_slice(piece.filled());
            piece.filled().len()
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_as_soon_as_it_can_be() {
        for (bytes, more, all) in [
            (&b""[..], None, Spoken::Tls),
            (b"\x16\x03\x01\x00", None, Spoken::Tls),
            (b"\x16\x03\x01\x00\x02\x01", None, Spoken::Tls),
            (b"\x16\x03\x01\x00\x02\x01\x00", Some(Spoken::Tls), Spoken::Tls),
            (b"GE", None, Spoken::Other),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", None, Spoken::Http),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Some(Spoken::Http), Spoken::Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Spoken::Http), Spoken::Http),
            (b" GET", Some(Spoken::Other), Spoken::Other),
            (b"SSH-2.0-x", Some(Spoken::Other), Spoken::Other),
            (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", Some(Spoken::Other), Spoken::Other),
        ] {
            let text = bytes.escape_ascii();
            assert_eq!(spoken(bytes, false), more, "{text}");
            assert_eq!(spoken(bytes, true), Some(all), "{text}");
        }
    }
}
