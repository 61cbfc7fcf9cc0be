//! Frames that bring no request further: each costs us work, and its sender next to nothing
//! (CVE-2019-9512, CVE-2019-9513, CVE-2019-9515).

use std::time::{Duration, Instant};

use crate::frames::{CONTINUATION, DATA, Frame, GOAWAY, HEADERS, RST_STREAM};

/// How many may come at once.
const MOST: u32 = 10_000;
/// As long a time makes room for one more, whatever else happens.
const EACH: Duration = Duration::from_millis(10);
/// For how many a request makes room, or a DATA frame of an answer, whose windows are renewed by
/// them: as many as with Envoy.
const EARNED: u32 = 10;

/// How many more of them are put up with on a connection.
#[derive(Debug)]
pub(super) struct Calm {
    left: u32,
    /// When time made room last.
    at: Instant,
}

impl Calm {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: MOST, at: now }
    }

    /// The client sends this frame. Whether that is still to be borne.
    pub(super) fn bears(&mut self, frame: Frame) -> bool {
        match frame.kind {
            HEADERS => self.earn(EARNED),
            // The codec counts those itself, by what they are worth.
            DATA | CONTINUATION | RST_STREAM | GOAWAY => {}
            _ => return self.spend(),
        }
        true
    }

    /// This frame went to the client.
    pub(super) fn sent(&mut self, frame: Frame) {
        if frame.kind == DATA {
            self.earn(EARNED);
        }
    }

    fn earn(&mut self, more: u32) {
        self.left = self.left.saturating_add(more).min(MOST);
    }

    fn spend(&mut self) -> bool {
        if self.left == 0 {
            let passed = self.at.elapsed();
            self.at += passed;
            let room = passed.as_millis() / EACH.as_millis();
            self.earn(u32::try_from(room).unwrap_or(MOST));
        }
        let spent = self.left.checked_sub(1);
        self.left = spent.unwrap_or(0);
        spent.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, length: u32) -> Frame {
        Frame { length, kind, flags: 0, stream: 1 }
    }

    /// How many of these are borne in a row, up to twice as many as may be.
    fn borne(calm: &mut Calm, frame: Frame) -> u32 {
        let mut count = 0;
        while count < 2 * MOST && calm.bears(frame) {
            count += 1;
        }
        count
    }

    #[test]
    fn what_brings_nothing_further_is_borne_for_a_while() {
        for nothing in
            [frame(PING, 8), frame(4, 6), frame(WINDOW_UPDATE, 4), frame(2, 5), frame(0xee, 0)]
        {
            let count = borne(&mut Calm::new(Instant::now()), nothing);
            assert!((MOST..2 * MOST).contains(&count), "{nothing:?}: {count}");
        }
        for good in [frame(HEADERS, 20), frame(DATA, 4096)] {
            assert_eq!(borne(&mut Calm::new(Instant::now()), good), 2 * MOST, "{good:?}");
        }
    }

    #[test]
    fn answers_and_time_make_room_for_more() {
        let mut calm = Calm::new(Instant::now());
        for _ in 0..5 * MOST {
            calm.sent(frame(DATA, 16 << 10));
            assert!((0..4).all(|_| calm.bears(frame(WINDOW_UPDATE, 4))), "a download");
        }
        for (passed, room) in [(Duration::from_secs(30), 3_000), (Duration::from_hours(1), MOST)] {
            let Some(at) = Instant::now().checked_sub(passed) else { continue };
            let count = borne(&mut Calm { left: 0, at }, frame(PING, 8));
            assert!((room..room + MOST / 2).contains(&count), "{passed:?}: {count}");
        }
    }
}
