//! A timer that is set again and again, and hardly ever goes off.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// The timer. While the moment that is waited for only moves on, the runtime's timer stays where it
/// is: it is moved when it goes off too early.
#[derive(Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Waits until that moment.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_off_when_it_was_last_set_for() {
        let mut alarm = Alarm::default();
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        assert!(poll_fn(|cx| alarm.poll(cx, after(10))).now_or_never().is_none());
        poll_fn(|cx| alarm.poll(cx, after(30))).await;
        assert_eq!(began.elapsed().as_secs(), 30, "later than at first");
        assert!(poll_fn(|cx| alarm.poll(cx, after(90))).now_or_never().is_none());
        poll_fn(|cx| alarm.poll(cx, after(40))).await;
        assert_eq!(began.elapsed().as_secs(), 40, "earlier than at first");
    }
}
