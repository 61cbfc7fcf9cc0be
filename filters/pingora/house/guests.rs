//! The connections of one listener that are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// The connections, each a task.
#[derive(Debug, Default)]
pub(super) struct Guests(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    tasks: HashMap<u64, AbortHandle>,
}

/// One of them, as long as it is there.
pub(super) struct Stay {
    guests: Arc<Guests>,
    number: u64,
}

impl Guests {
    /// Serves one more, who holds the stay as long as it lasts. A future around the visit's would
    /// keep the room for it twice.
    pub(super) fn admit<V>(self: &Arc<Self>, visit: impl FnOnce(Stay) -> V)
    where
        V: Future<Output = ()> + Send + 'static,
    {
        // Held until the task is noted: it may end before.
        let mut state = self.locked();
        state.last += 1;
        let stay = Stay { guests: self.clone(), number: state.last };
        let number = stay.number;
        let task = tokio::spawn(visit(stay));
        state.tasks.insert(number, task.abort_handle());
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.locked().tasks.len()
    }

    /// Sends all of them away, whatever they are at.
    pub(super) fn cut(&self) {
        for task in self.locked().tasks.values() {
            task.abort();
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.guests.locked().tasks.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn they_are_counted_until_they_end_or_are_sent_away() {
        let guests = Arc::new(Guests::default());
        guests.admit(|stay| async move { drop(stay) });
        for _ in 0..2 {
            guests.admit(|stay| async move {
                let _stay = stay;
                pending::<()>().await;
            });
        }
        while guests.count() > 2 {
            tokio::task::yield_now().await;
        }
        guests.cut();
        while guests.count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
