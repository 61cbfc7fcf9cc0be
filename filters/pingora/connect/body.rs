//! The sending half of a request over HTTP/2, and what it and the reading half know of each other.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use h2::Reason;
use pingora::Result;
use pingora::protocols::http::custom::BodyWrite;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::pace::Pace;

/// What stands for a piece of a body when the request is withdrawn; known by its address.
static WITHDRAWN: [u8; 1] = [0];

/// A piece of a body that breaks the request off. Pingora keeps an error of whoever looks at a body
/// to itself here, and goes on waiting for the origin.
pub(crate) const fn withdrawal() -> Bytes {
    Bytes::from_static(&WITHDRAWN)
}

fn is_withdrawal(data: &Bytes) -> bool {
    std::ptr::eq(data.as_ptr(), WITHDRAWN.as_ptr())
}

/// What the two halves of a request, the sending and the reading one, know of each other.
#[derive(Debug, Default)]
pub(super) struct Halves {
    pub(super) state: AtomicU8,
    /// Bytes of the request's body that the origin made room for.
    pub(super) taken: AtomicU64,
    /// The answer is complete.
    pub(super) ended: Notify,
    pub(super) pace: Pace,
}

/// The final header section of the answer came.
pub(super) const ANSWERED: u8 = 1;
/// The origin took no more of the request for too long, before it had answered.
pub(super) const LATE: u8 = 2;

/// The way in for a request's body.
pub(super) struct Body {
    writer: h2::SendStream<Bytes>,
    timeout: Option<Duration>,
    halves: Arc<Halves>,
    /// Nothing more is sent.
    broken: bool,
}

impl Body {
    pub(super) fn new(
        writer: h2::SendStream<Bytes>,
        timeout: Option<Duration>,
        halves: Arc<Halves>,
    ) -> Self {
        Self { writer, timeout, halves, broken: false }
    }

    /// Sends a piece as fast as the origin takes it; whether more may follow.
    async fn send(&mut self, mut data: Bytes) -> bool {
        while !data.is_empty() {
            self.writer.reserve_capacity(data.len());
            let room = poll_fn(|cx| self.writer.poll_capacity(cx));
            let room = tokio::select! {
                biased;
                room = within(self.timeout, room) => room,
                // Nobody waits for room to send what the answer did not wait for.
                () = self.halves.ended.notified() => return false,
            };
            match room {
                Some(Some(Ok(room))) => {
                    let piece = data.split_to(room.min(data.len()));
                    let length = piece.len() as u64;
                    if self.writer.send_data(piece, false).is_err() {
                        return false;
                    }
                    self.halves.taken.fetch_add(length, Ordering::Relaxed);
                }
                Some(_) => return false,
                None => {
                    if self.halves.state.load(Ordering::Relaxed) != ANSWERED {
                        self.halves.state.store(LATE, Ordering::Relaxed);
                        self.give_up();
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Breaks the request off, which whoever waits for the answer learns at once.
    fn give_up(&mut self) {
        self.writer.send_reset(Reason::CANCEL);
        self.broken = true;
    }
}

/// What comes of waiting for so long at most; `None` if that was not enough.
async fn within<F: Future>(limit: Option<Duration>, wait: F) -> Option<F::Output> {
    match limit {
        Some(limit) => timeout(limit, wait).await.ok(),
        None => Some(wait.await),
    }
}

#[async_trait]
impl BodyWrite for Body {
    /// An origin that wants no more of a body resets the stream, often right after its answer (RFC
    /// 9113 section 8.1). That answer is still to be read: if there is none, reading tells why.
    async fn write_all_buf(&mut self, data: &mut Bytes) -> Result<()> {
        let data = data.split_to(data.len());
        if self.broken {
            return Ok(());
        }
        if is_withdrawal(&data) {
            self.give_up();
            return Ok(());
        }
        let halves = self.halves.clone();
        let step = halves.pace.step();
        self.broken = !self.send(data).await;
        if !self.broken {
            step.done();
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        self.halves.pace.step().done();
        // As above.
        self.broken |= self.broken || self.writer.send_data(Bytes::new(), true).is_err();
        Ok(())
    }

    async fn cleanup(&mut self) -> Result<()> {
        Ok(())
    }

    fn upgrade_body_writer(&mut self) {}
}
