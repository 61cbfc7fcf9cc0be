//! `sidecar.yaml` beside applications that others wrote: a source of events and a WebSocket server.

use std::sync::Arc;

use super::local::Local;
use crate::everyday::apps::App;
use crate::everyday::{events, websocket};
use crate::rig::certificates::Authority;
use crate::rig::skip;

/// The example beside this application, which needs this package.
fn beside(test: &str, package: &str, program: &str) -> Option<(App, Local)> {
    let mut app = None;
    let started = Local::before("sidecar", Arc::new(Authority::new("root")), |_| {
        let started = App::start(package, program)?;
        Ok((app.insert(started).endpoint.clone(), Box::new(())))
    });
    match started {
        Ok(local) => Some((app.expect("it has one endpoint"), local)),
        Err(why) => {
            skip(&format!("examples::sidecar::{test}"), &why);
            None
        }
    }
}

/// Whether the stream was taken for one, and everything else for none.
fn streamed(local: &Local, path: &str) {
    for record in local.proxy.log.records() {
        let stream = record["path"].as_str().is_some_and(|asked| asked.starts_with(path));
        assert_eq!(record["route"], if stream { "streams" } else { "app" }, "{record:#}");
        assert!(record["cause"].is_null(), "{record:#}");
    }
}

#[test]
fn events_arrive_one_by_one() {
    let started = beside("events_arrive_one_by_one", "sse_starlette, uvicorn", events::APP);
    let Some((app, local)) = started else { return };
    events::arrive_one_by_one(app, &local.proxy);
    streamed(&local, "/events");
}

#[test]
fn messages_of_a_websocket_come_back() {
    let package = "websockets.asyncio.server";
    let started = beside("messages_of_a_websocket_come_back", package, websocket::APP);
    let Some((app, local)) = started else { return };
    websocket::come_back(app, &local.proxy);
    streamed(&local, "/chat");
}
