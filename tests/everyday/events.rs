//! Server-sent events of `sse-starlette` on uvicorn, as they come.

use super::apps::App;
use crate::rig::client::Client;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::skip;

/// The source: events at `/events`, one for each `/tick/NAME`.
pub(crate) const APP: &str = r#"
import asyncio, socket, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from sse_starlette.sse import EventSourceResponse
ticks = asyncio.Queue()
async def events(request):
    async def source():
        try:
            yield {"event": "hello", "data": "first"}
            while (tick := await ticks.get()) != "end":
                yield {"id": tick, "data": "tick " + tick}
        finally:
            print("left", flush=True)
    return EventSourceResponse(source(), ping=int(request.query_params["ping"]))
async def tick(request):
    await ticks.put(request.path_params["name"])
    return PlainTextResponse("ok")
async def healthy(request):
    return PlainTextResponse("ok")
app = Starlette(routes=[
    Route("/events", events), Route("/tick/{name}", tick), Route("/healthz", healthy),
])
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
"#;

/// A source, and a proxy before it that waits so long for the origin.
fn before(test: &str, read: &str) -> Option<(App, Proxy)> {
    match App::start("sse_starlette, uvicorn", APP) {
        Ok(app) => {
            let settings = Settings::endpoints(&[&app.endpoint]);
            let proxy = settings.with("timeouts", &format!("read: {read}")).start();
            Some((app, proxy))
        }
        Err(why) => {
            skip(&format!("everyday::events::{test}"), &why);
            None
        }
    }
}

/// A browser's `EventSource`, up to the first event.
fn subscribe(proxy: &Proxy, ping: u32) -> Client {
    let mut client = proxy.connect();
    client.send(format!(
        "GET /events?ping={ping} HTTP/1.1\r\nHost: app.test\r\nAccept: text/event-stream\r\n\
         Cache-Control: no-cache\r\n\r\n"
    ));
    hears(&mut client, "data: first");
    client
}

/// Reads until a line says this.
fn hears(client: &mut Client, words: &str) {
    while client.line() != words.as_bytes() {}
}

fn tick(proxy: &Proxy, name: &str) {
    let mut client = proxy.connect();
    client.send(format!("GET /tick/{name} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
    assert_eq!(client.receive("GET").expect("an answer").status, 200);
}

#[test]
fn each_event_arrives_before_the_next_is_made() {
    let test = "each_event_arrives_before_the_next_is_made";
    let Some((app, proxy)) = before(test, "20s") else { return };
    arrive_one_by_one(app, &proxy);
}

/// Twenty events through a proxy before this source, each heard before the next one is made, and
/// the end of them.
pub(crate) fn arrive_one_by_one(mut app: App, proxy: &Proxy) {
    let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let told = proxy.exchanges(names.len() + 2, || {
        let mut client = subscribe(proxy, 60);
        for name in &names {
            tick(proxy, name);
            hears(&mut client, &format!("data: tick {name}"));
        }
        tick(proxy, "end");
        hears(&mut client, "0");
        Vec::new()
    });
    assert!(told.iter().all(|told| told.value("cause").is_null()), "{told:#?}");
    app.server.says("left");
}

#[test]
fn comments_keep_a_silent_stream_alive() {
    let Some((_app, proxy)) = before("comments_keep_a_silent_stream_alive", "3s") else { return };
    let told = proxy.exchanges(2, || {
        let mut client = subscribe(&proxy, 1);
        // One a second, and so for longer than a read may take.
        for _ in 0..4 {
            while !client.line().starts_with(b": ping") {}
        }
        tick(&proxy, "end");
        hears(&mut client, "0");
        Vec::new()
    });
    assert!(told.iter().all(|told| told.value("cause").is_null()), "{told:#?}");
}

#[test]
fn a_stream_that_falls_silent_is_broken_off_and_the_origin_named() {
    let test = "a_stream_that_falls_silent_is_broken_off_and_the_origin_named";
    let Some((mut app, proxy)) = before(test, "500ms") else { return };
    let told = proxy.exchange(|| {
        let mut client = subscribe(&proxy, 60);
        while client.fill() {}
        None
    });
    for (field, value) in [("cause", "response_stalled"), ("party", "origin"), ("phase", "receive")]
    {
        assert_eq!(told.text(field), value, "{:#}", told.record);
    }
    app.server.says("left");
}

#[test]
fn a_client_that_leaves_is_not_waited_for() {
    let Some((mut app, proxy)) = before("a_client_that_leaves_is_not_waited_for", "20s") else {
        return;
    };
    let told = proxy.exchange(|| {
        drop(subscribe(&proxy, 60));
        None
    });
    assert_eq!(told.text("party"), "client", "{:#}", told.record);
    // The source learns of it, though it has nothing to say.
    app.server.says("left");
}
