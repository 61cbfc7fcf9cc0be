//! The process from the first request to the last.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::beginning::Beginning;
use super::drain::{Stop, Told, finish};
use super::insight::Knowledge;
use super::operators::Operators;
use super::takeover::{Place, Program};
use super::{Refusal, Running, Source, reload, systemd};
use crate::notice;

/// Takes requests until told to stop, and lets those under way end.
pub(super) fn serve(
    running: &Arc<Running>,
    runtime: Runtime,
    (beginning, program): (Beginning, Option<Program>),
    admin_socket: Option<TcpListener>,
    source: &Source,
) -> Result<ExitCode, Refusal> {
    let config = running.checked.load().config.clone();
    let knowledge = Arc::new(Knowledge::new(running.clone()));
    let reloading = reload::start(&runtime, running, source);
    let (ready, successors) = mpsc::channel(1);
    let mut told = Told::listen(&runtime, successors)
        .map_err(|error| Refusal(format!("signals cannot be listened to: {error}")))?;
    beginning.heed(&runtime, program);
    systemd::watch(&runtime);
    // Before the operators' listener answers: where a predecessor's answers too, what it says must
    // not change for a moment.
    knowledge.set_ready();
    let mut operators = Operators::start(&config, admin_socket, knowledge.clone())?;
    let (floor, spare) = (running.clone(), operators.spare());
    let offer = move || Ok(floor.floor.sockets()?.into_iter().chain(spare.copy()?).collect());
    let (place, how, refused) = match beginning.take_over(offer, running.handing.clone(), ready) {
        Ok(place) => {
            notice::say("ready");
            let how = runtime.block_on(told.wait());
            (place, how, None)
        }
        Err(refused) => (None, Stop::Gracefully, Some(refused)),
    };
    told.refuse_successors();
    let shutdown = running.checked.load().config.shutdown;
    let how = match how {
        Stop::Gracefully if refused.is_none() => {
            knowledge.set_draining();
            systemd::stopping(running.open());
            runtime.block_on(told.delay(shutdown.delay.0))
        }
        other => other,
    };
    let grace = if matches!(how, Stop::Quickly) { Duration::ZERO } else { shutdown.grace.0 };
    notice::say(&format!("stopping: {} connections have {grace:?} to end", running.open()));
    running.floor.close_all();
    if let Stop::Succeeded(successor) = how {
        notice::say(&format!("process {} takes requests from now on", successor.process));
        // It is the other one that is asked now, and is not ending.
        operators.stop();
        successor.let_go();
    } else {
        knowledge.set_draining();
        place.iter().for_each(Place::clear);
    }
    let finished = runtime.block_on(finish(running, &mut told, grace));
    drop(reloading);
    runtime.shutdown_timeout(Duration::from_secs(1));
    operators.stop();
    if !running.sink.flush(Duration::from_secs(5)) {
        notice::say("the log could not be written to its end");
    }
    notice::say(if finished { "stopped" } else { "stopped; requests were cut off" });
    refused.map_or(Ok(ExitCode::SUCCESS), Err)
}
