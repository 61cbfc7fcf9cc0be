//! What a sound origin does: the other half of the lab, for checking that nothing is changed.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use super::pattern::pattern;
use super::reply::{Extent, Turn};
use super::wire::After;
use super::{range, websocket};

/// One sound behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Good {
    /// The path, with `N` for a number.
    pub path: &'static str,
    /// What the origin answers.
    pub title: &'static str,
}

const fn row(path: &'static str, title: &'static str) -> Good {
    Good { path, title }
}

static TABLE: &[Good] = &[
    row("/ok", "A small body with its length."),
    row("/echo", "The request's head and body, as they came, in chunks."),
    row("/sink", "Reads the whole body; answers its length and its SHA-1 as JSON."),
    row("/bytes/N", "N bytes of a fixed pattern, with Content-Length."),
    row("/chunked/N", "The same bytes in chunks of many sizes."),
    row("/until-close/N", "The same bytes, ended by the end of the connection."),
    row("/http10/N", "The same, from an origin that speaks HTTP/1.0."),
    row("/range/N", "The same bytes as a whole or in part: Range is honoured."),
    row("/status/NNN", "That status."),
    row("/slow-ok", "As /ok, after `?delay=` milliseconds (1000)."),
    row(
        "/ok-then-close",
        "As /ok with keep-alive, then closes the idle connection after `?delay=` (500).",
    ),
    row("/ok-then-more", "As /ok, followed by an answer that nobody asked for."),
    row("/trailers", "Chunks with a trailer field."),
    row("/103", "103 Early Hints, then a 200."),
    row("/no-content", "204."),
    row("/not-modified", "304 with an ETag."),
    row("/continue", "As /sink; sends 100 Continue if the client waits for it."),
    row("/continue-refused", "417 instead of 100 Continue."),
    row("/ws", "A WebSocket that echoes."),
    row("/upgrade", "Switches to any protocol asked for, and echoes bytes."),
];

/// Every sound behaviour.
#[must_use]
pub fn good() -> &'static [Good] {
    TABLE
}

/// Answers; `None` when no behaviour has this path.
pub(super) async fn answer(turn: &mut Turn<'_>) -> io::Result<Option<After>> {
    let path = turn.request.path.as_str();
    let delay = |millis| turn.request.choice.delay.unwrap_or(Duration::from_millis(millis));
    let after = match path {
        "/ok" => turn.say(200, "ok\n").await?,
        "/echo" => echo(turn).await?,
        "/sink" | "/continue" => sink(turn).await?,
        "/continue-refused" => refuse(turn).await?,
        "/slow-ok" => {
            sleep(delay(1000)).await;
            turn.say(200, "ok\n").await?
        }
        "/ok-then-close" => {
            let pause = delay(500);
            turn.say(200, "ok\n").await?;
            sleep(pause).await;
            After::Close
        }
        "/ok-then-more" => {
            turn.say(200, "ok\n").await?;
            turn.wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\npoison\n").await?;
            After::Close
        }
        "/trailers" => trailers(turn).await?,
        "/103" => {
            if turn.request.minor > 0 {
                let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
                turn.wire.send(hint).await?;
            }
            turn.say(200, "ok\n").await?
        }
        "/no-content" => empty(turn, 204).await?,
        "/not-modified" => empty(turn, 304).await?,
        "/ws" => websocket::open(turn).await?,
        "/upgrade" => websocket::echo_bytes(turn).await?,
        _ => return numbered(turn, path).await,
    };
    Ok(Some(after))
}

async fn numbered(turn: &mut Turn<'_>, path: &str) -> io::Result<Option<After>> {
    let Some((name, number)) = path.trim_start_matches('/').split_once('/') else {
        return Ok(None);
    };
    let Ok(number) = number.parse::<u64>() else { return Ok(None) };
    let after = match name {
        "bytes" => bytes(turn, number, Extent::Length(number)).await?,
        "until-close" => bytes(turn, number, Extent::End).await?,
        "chunked" => bytes(turn, number, Extent::Chunked).await?,
        "http10" => http10(turn, number).await?,
        "range" => range::serve(turn, number).await?,
        "status" => match u16::try_from(number) {
            Ok(status @ (204 | 304)) => empty(turn, status).await?,
            Ok(status @ 200..=599) => turn.say(status, &format!("{status}\n")).await?,
            _ => turn.say(400, "a status from 200 to 599\n").await?,
        },
        _ => return Ok(None),
    };
    Ok(Some(after))
}

async fn empty(turn: &mut Turn<'_>, status: u16) -> io::Result<After> {
    turn.body.read(turn.wire, u64::MAX).await?;
    let flow = turn.begin(status, &[("ETag", "\"lab\"")], Extent::Nothing).await?;
    flow.finish(turn.wire, &[]).await
}

async fn bytes(turn: &mut Turn<'_>, number: u64, extent: Extent) -> io::Result<After> {
    turn.body.read(turn.wire, u64::MAX).await?;
    let fields = [("Content-Type", "application/octet-stream")];
    let mut flow = turn.begin(200, &fields, extent).await?;
    let mut at = 0;
    let mut chunk = 1;
    while at < number && !turn.request.is_head() {
        let piece = pattern(at, chunk.min(number - at));
        flow.send(turn.wire, piece).await?;
        at += piece.len() as u64;
        chunk = if extent == Extent::Chunked { chunk * 7 % 65_537 } else { u64::MAX };
    }
    flow.finish(turn.wire, &[]).await
}

async fn http10(turn: &mut Turn<'_>, number: u64) -> io::Result<After> {
    turn.body.read(turn.wire, u64::MAX).await?;
    turn.wire.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n").await?;
    let mut at = 0;
    while at < number && !turn.request.is_head() {
        let piece = pattern(at, number - at);
        turn.wire.send(piece).await?;
        at += piece.len() as u64;
    }
    Ok(After::Close)
}

async fn trailers(turn: &mut Turn<'_>) -> io::Result<After> {
    turn.body.read(turn.wire, u64::MAX).await?;
    let fields = [("Content-Type", "text/plain"), ("Trailer", "X-Checksum")];
    let mut flow = turn.begin(200, &fields, Extent::Chunked).await?;
    flow.send(turn.wire, b"a body with a trailer\n").await?;
    flow.finish(turn.wire, &[("X-Checksum", "22")]).await
}

async fn echo(turn: &mut Turn<'_>) -> io::Result<After> {
    let fields = [("Content-Type", "application/octet-stream")];
    let head = turn.request.raw.clone();
    // A client that waits for a 100 must get it before the final answer begins.
    let first = turn.body.next(turn.wire).await?;
    let mut flow = turn.begin(200, &fields, Extent::Chunked).await?;
    flow.send(turn.wire, &head).await?;
    if let Some(piece) = first {
        flow.send(turn.wire, &piece).await?;
    }
    while let Some(piece) = turn.body.next(turn.wire).await? {
        flow.send(turn.wire, &piece).await?;
    }
    flow.finish(turn.wire, &[]).await
}

async fn sink(turn: &mut Turn<'_>) -> io::Result<After> {
    turn.body.read(turn.wire, u64::MAX).await?;
    let text = format!(
        "{{\"bytes\":{},\"sha1\":\"{}\",\"method\":\"{}\"}}\n",
        turn.body.length(),
        turn.body.sha1(),
        turn.request.method
    );
    turn.reply(200, &[("Content-Type", "application/json")], text.as_bytes()).await
}

/// Answers without having read the body, so the connection cannot go on.
async fn refuse(turn: &mut Turn<'_>) -> io::Result<After> {
    let mut flow = turn.begin(417, &[("Content-Type", "text/plain")], Extent::End).await?;
    flow.send(turn.wire, b"not that\n").await?;
    Ok(After::Close)
}
