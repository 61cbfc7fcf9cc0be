//! Closes a connection so that the last answer arrives: the kernel resets a connection that is
//! closed with bytes unread, and the reset may overtake the answer.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use pingora::protocols::Stream;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::gate::poll_fill;

/// The most time to read what nobody wants to know.
const TOTAL: Duration = Duration::from_secs(5);
/// A client that is silent for so long has understood.
const SILENCE: Duration = Duration::from_secs(1);
/// The most bytes.
const BYTES: usize = 64 << 20;

/// Says good-bye.
pub(crate) async fn part(mut stream: Stream) {
    // Whoever does not hear it is gone.
    let _ = timeout(SILENCE, stream.shutdown()).await;
}

/// Says good-bye, and reads on until the client does the same.
pub(crate) async fn linger(mut stream: Stream) {
    let until = Instant::now() + TOTAL;
    if !matches!(timeout(SILENCE, stream.shutdown()).await, Ok(Ok(()))) {
        return;
    }
    let mut left = BYTES;
    let mut scrap = BytesMut::new();
    while left > 0 && Instant::now() < until {
        scrap.clear();
        let next = until.min(Instant::now() + SILENCE);
        let filled = timeout_at(next, poll_fn(|cx| poll_fill(&mut stream, cx, &mut scrap))).await;
        let Ok(Ok(read @ 1..)) = filled else { return };
        left = left.saturating_sub(read);
    }
}

/// Whether there are bytes to be read at this moment.
pub(crate) async fn has_more(stream: &mut Stream) -> bool {
    let mut scrap = BytesMut::new();
    poll_fn(|cx| {
        let filled = poll_fill(stream, cx, &mut scrap);
        Poll::Ready(matches!(filled, Poll::Ready(Ok(1..))))
    })
    .await
}
