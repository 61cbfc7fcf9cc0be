//! Parts of a body (RFC 9110 section 14).

use std::io;
use std::ops::Range;

use super::pattern::pattern;
use super::reply::{Extent, Turn};
use super::wire::After;

/// The part that a `Range` field asks for; `Err` when no byte of it exists, `Ok(None)` when the
/// field is to be ignored: it is malformed, or names several parts.
fn parse(field: &str, length: u64) -> Result<Option<Range<u64>>, ()> {
    let Some((first, last)) = field.strip_prefix("bytes=").and_then(|spec| spec.split_once('-'))
    else {
        return Ok(None);
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(last)) if first.is_empty() => length.saturating_sub(last)..length,
        _ => return Ok(None),
    };
    if range.is_empty() { Err(()) } else { Ok(Some(range)) }
}

pub(super) async fn serve(turn: &mut Turn<'_>, length: u64) -> io::Result<After> {
    turn.body.read(turn.wire, u64::MAX).await?;
    let wanted = turn.request.field("range").map_or(Ok(None), |field| parse(field, length));
    let kind = ("Content-Type", "application/octet-stream");
    let fields = [kind, ("Accept-Ranges", "bytes"), ("ETag", "\"lab\"")];
    let (mut flow, range) = match wanted {
        Err(()) => {
            let whole = format!("bytes */{length}");
            return turn.reply(416, &[("Content-Range", &whole)], b"").await;
        }
        Ok(None) => (turn.begin(200, &fields, Extent::Length(length)).await?, 0..length),
        Ok(Some(range)) => {
            let part = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            let fields = [fields[0], fields[1], fields[2], ("Content-Range", &part)];
            let extent = Extent::Length(range.end - range.start);
            (turn.begin(206, &fields, extent).await?, range)
        }
    };
    let mut at = range.start;
    while at < range.end && !turn.request.is_head() {
        let piece = pattern(at, range.end - at);
        flow.send(turn.wire, piece).await?;
        at += piece.len() as u64;
    }
    flow.finish(turn.wire, &[]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_honoured_and_the_rest_ignored() {
        for (field, expected) in [
            ("bytes=0-4", Ok(Some(0..5))),
            ("bytes=5-", Ok(Some(5..10))),
            ("bytes=-3", Ok(Some(7..10))),
            ("bytes=-30", Ok(Some(0..10))),
            ("bytes=8-99", Ok(Some(8..10))),
            ("bytes=10-", Err(())),
            ("bytes=-0", Err(())),
            ("bytes=5-4", Ok(None)),
            ("bytes=0-1,3-4", Ok(None)),
            ("lines=0-1", Ok(None)),
        ] {
            assert_eq!(parse(field, 10), expected, "{field}");
        }
    }
}
