//! A number in the line.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::line::{Line, Place};

/// Waits for a place. Who drops it no longer waits; a place that has come by then goes to the next.
#[derive(Debug)]
pub struct Ticket {
    line: Arc<Line>,
    number: u64,
    place: oneshot::Receiver<Place>,
}

impl Ticket {
    /// This number.
    pub(super) fn new(line: &Arc<Line>, number: u64, place: oneshot::Receiver<Place>) -> Self {
        Self { line: line.clone(), number, place }
    }

    /// Waits until it is one's turn.
    pub async fn place(&mut self) -> Place {
        (&mut self.place).await.expect("who gives places away keeps the line as long as one waits")
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.line.leave(self.number);
    }
}
