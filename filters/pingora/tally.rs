//! Open connections, counted by what they are doing.

use std::sync::Arc;

use whodunit_filters::attribution::Failure;
use whodunit_filters::attribution::ledger::Use;

use crate::clients::Seat;
use crate::ingress::Doorman;

/// Counts a connection as long as it is there.
pub(crate) struct Tally {
    door: Arc<dyn Doorman>,
    state: Use,
    /// Its place among those of its client, where they are counted.
    seat: Option<Seat>,
}

impl Tally {
    /// A connection that waits for its first request.
    pub(crate) fn new(door: Arc<dyn Doorman>) -> Self {
        door.counted(Use::Idle, 1);
        Self { door, state: Use::Idle, seat: None }
    }

    /// Takes a place for the connection among those of its client, unless it has one.
    ///
    /// # Errors
    /// The refusal, where there is none.
    pub(crate) fn seat(
        &mut self,
        place: impl FnOnce() -> Result<Option<Seat>, Failure>,
    ) -> Result<(), Failure> {
        if self.seat.is_none() {
            self.seat = place()?;
        }
        Ok(())
    }

    /// The connection changes its use.
    pub(crate) fn turn(&mut self, state: Use) {
        self.door.counted(self.state, -1);
        self.door.counted(state, 1);
        self.state = state;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.door.counted(self.state, -1);
    }
}
