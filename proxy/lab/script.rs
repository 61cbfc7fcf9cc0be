//! How a fault behaves: a list of steps, played on a connection.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::body::Body;
use super::request::Choice;
use super::wire::{After, PATIENCE, Wire};

/// One thing that a faulty origin does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Sends these bytes.
    Send(&'static [u8]),
    /// Sends these bytes so many times; `?bytes=` sets another sum.
    Repeat(&'static [u8], usize),
    /// Sends these bytes one by one, over and over; so many milliseconds apart unless `?delay=` is
    /// given.
    Dribble(&'static [u8], u64),
    /// Does nothing for so many milliseconds, or for `?delay=`.
    Wait(u64),
    /// Waits for the first bytes of the peer, and reads them.
    Hear,
    /// Reads the request's body to its end.
    Body,
    /// Reads at least so many bytes of it.
    Part(u64),
    /// Reads and forgets what comes, without a word, until the peer leaves.
    Hang,
    /// Does not even read.
    Stall,
    /// Does something else, and nothing more, when the request is the first on its connection.
    Fresh(&'static [Step]),
    /// Leaves the connection so. The end of a script is `End(Close)`.
    End(After),
}

/// A connection, and the request on it if one was read.
pub(super) struct Stage<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) body: Option<&'a mut Body>,
    pub(super) choice: Choice,
    /// Whether this is the connection's first request.
    pub(super) fresh: bool,
}

impl Stage<'_> {
    /// Plays a script to its end.
    pub(super) async fn play(&mut self, script: &'static [Step]) -> io::Result<After> {
        let mut steps = script.iter();
        while let Some(step) = steps.next() {
            match *step {
                Step::Fresh(other) if self.fresh => steps = other.iter(),
                Step::End(after) => return Ok(after),
                step => self.step(step).await?,
            }
        }
        Ok(After::Close)
    }

    async fn step(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::Send(bytes) => self.wire.send(bytes).await,
            Step::Repeat(unit, times) => {
                let times = self.choice.bytes.map_or(times, |sum| sum.div_ceil(unit.len()));
                self.wire.repeat(unit, times).await
            }
            Step::Dribble(bytes, millis) => {
                let began = Instant::now();
                for byte in bytes.iter().cycle() {
                    if began.elapsed() > PATIENCE {
                        break;
                    }
                    self.wire.send(std::slice::from_ref(byte)).await?;
                    sleep(self.pause(millis)).await;
                }
                Ok(())
            }
            Step::Wait(millis) => {
                sleep(self.pause(millis)).await;
                Ok(())
            }
            Step::Hear => self.wire.some(usize::MAX).await.map(drop),
            Step::Body => self.read(u64::MAX).await,
            Step::Part(bytes) => self.read(bytes).await,
            Step::Hang => self.wire.exhaust().await,
            Step::Stall => {
                sleep(PATIENCE).await;
                Ok(())
            }
            Step::Fresh(_) | Step::End(_) => Ok(()),
        }
    }

    fn pause(&self, millis: u64) -> Duration {
        self.choice.delay.unwrap_or(Duration::from_millis(millis))
    }

    async fn read(&mut self, most: u64) -> io::Result<()> {
        match &mut self.body {
            Some(body) => body.read(self.wire, most).await,
            None => Ok(()),
        }
    }
}
