//! Upgraded connections that echo: WebSocket (RFC 6455) frame by frame, anything else byte by byte.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::reply::{Extent, Turn};
use super::wire::{After, Wire};

const FRAME_MAX: u64 = 16 * 1024 * 1024;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a server proves to have understood with (RFC 6455 section 4.2.2).
fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// Opens a WebSocket and echoes every message until it is closed.
pub(super) async fn open(turn: &mut Turn<'_>) -> io::Result<After> {
    let key = turn.request.field("sec-websocket-key").map(str::trim);
    let asked = turn.request.lists("upgrade", "websocket");
    let (Some(key), true) = (key, asked && turn.request.lists("connection", "upgrade")) else {
        return turn.reply(426, &[("Upgrade", "websocket")], b"a WebSocket is spoken here\n").await;
    };
    let accept = accept(key);
    let fields = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Accept", accept.as_str()),
    ];
    turn.begin(101, &fields, Extent::Nothing).await?;
    while echo_frame(turn.wire).await? {}
    Ok(After::Close)
}

/// Answers one frame; false after the last one.
async fn echo_frame(wire: &mut Wire) -> io::Result<bool> {
    let start = wire.exactly(2).await?;
    let kind = start[0] & 0x0f;
    let length = match start[1] & 0x7f {
        126 => {
            let long = wire.exactly(2).await?;
            u64::from(u16::from_be_bytes([long[0], long[1]]))
        }
        127 => {
            let long = wire.exactly(8).await?;
            u64::from_be_bytes(long[..].try_into().expect("8 bytes were read"))
        }
        short => u64::from(short),
    };
    if start[1] & 0x80 == 0 || length > FRAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame unmasked or too large"));
    }
    let mask = wire.exactly(4).await?;
    let mut payload = wire.exactly(usize::try_from(length).expect("within the limit")).await?;
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    let first = match kind {
        PONG => return Ok(true),
        PING => start[0] & 0xf0 | PONG,
        _ => start[0],
    };
    let mut frame = vec![first];
    match u16::try_from(length) {
        Ok(short @ 0..126) => frame.push(u8::try_from(short).expect("less than 126")),
        Ok(long) => {
            frame.push(126);
            frame.extend_from_slice(&long.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&payload);
    wire.send(&frame).await?;
    Ok(kind != CLOSE)
}

/// Switches to whatever protocol is asked for, and echoes bytes until the peer closes.
pub(super) async fn echo_bytes(turn: &mut Turn<'_>) -> io::Result<After> {
    let asked =
        turn.request.field("upgrade").filter(|_| turn.request.lists("connection", "upgrade"));
    let Some(protocol) = asked.map(str::to_owned) else {
        return turn.reply(426, &[("Upgrade", "echo")], b"ask for an upgrade\n").await;
    };
    let fields = [("Connection", "Upgrade"), ("Upgrade", protocol.as_str())];
    turn.begin(101, &fields, Extent::Nothing).await?;
    while let Ok(bytes) = turn.wire.some(usize::MAX).await {
        turn.wire.send(&bytes).await?;
    }
    Ok(After::Close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_in_the_rfc() {
        // RFC 6455 section 1.3.
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
