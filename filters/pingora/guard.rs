//! A panic in a hook is caught: the request is answered and recorded as `proxy_bug`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use pingora::{Error, Result};
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};

use crate::note::deny;

/// Runs a hook to its end, or to its panic.
pub(crate) async fn hook<T>(phase: Phase, future: impl Future<Output = Result<T>>) -> Result<T> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(bug(phase, &*panic)),
    }
}

/// The same for a hook that does not wait.
pub(crate) fn call<T>(phase: Phase, hook: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(hook)).map_err(|panic| bug(phase, &*panic))
}

/// The same for a hook that has nothing to say.
pub(crate) async fn quiet<T>(phase: Phase, future: impl Future<Output = T>) -> Option<T> {
    match hook(phase, async { Ok(future.await) }).await {
        Ok(value) => Some(value),
        Err(bug) => {
            report(&bug);
            None
        }
    }
}

/// Tells of a panic that the request itself does not suffer from.
pub(crate) fn report(bug: &Error) {
    log::error!(target: "whodunit", "a hook panicked: {bug}");
}

fn bug(phase: Phase, panic: &(dyn Any + Send)) -> Box<Error> {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let at: String = said.chars().take(200).collect();
    deny(Failure::new(Side::Inside, phase, Fault::Panic).with(Key::At, format!("panicked: {at}")))
}
