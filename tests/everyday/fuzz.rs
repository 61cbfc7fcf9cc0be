//! schemathesis makes up requests from a description of an application, good ones and bad ones.

use std::collections::BTreeMap;

use super::apps::{self, App, TOOLS};
use crate::rig::client::Client;
use crate::rig::settings::Settings;
use crate::rig::{skip, until};

/// It takes what comes, and breaks now and then.
const APP: &str = r#"
import json, socket, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
seen = 0
async def item(request):
    body = await request.body()
    if len(request.path_params["id"]) % 3 == 2:
        raise RuntimeError("as it is told")
    return JSONResponse({"id": request.path_params["id"], "length": len(body)})
async def count(request):
    return PlainTextResponse(str(seen))
text = {"schema": {"type": "string"}}
item_at = {
    "parameters": [
        {"name": "id", "in": "path", "required": True, **text},
        {"name": "q", "in": "query", **text},
        {"name": "X-Token", "in": "header", **text},
        {"name": "session", "in": "cookie", **text},
    ],
    "responses": {"200": {"description": "fine"}},
}
body = {"requestBody": {"content": {
    "application/json": {"schema": {"type": "object"}},
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
}}}
schema = {
    "openapi": "3.0.3", "info": {"title": "items", "version": "1"},
    "paths": {"/items/{id}": {
        "get": item_at, "delete": item_at, "put": {**item_at, **body}, "post": {**item_at, **body},
    }},
}
async def description(request):
    return JSONResponse(schema)
app = Starlette(routes=[
    Route("/items/{id:path}", item, methods=["GET", "DELETE", "PUT", "POST"]),
    Route("/openapi.json", description), Route("/count", count),
])
async def counted(scope, receive, send):
    global seen
    seen += scope["type"] == "http"
    await app(scope, receive, send)
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(counted, log_level="critical")).run(sockets=[listener])
"#;

#[test]
fn no_request_it_makes_up_goes_wrong_without_a_verdict() {
    let test = "everyday::fuzz::no_request_it_makes_up_goes_wrong_without_a_verdict";
    let started = apps::python("schemathesis").and_then(|()| App::start("starlette, uvicorn", APP));
    let app = match started {
        Ok(app) => app,
        Err(why) => return skip(test, &why),
    };
    let proxy = Settings::endpoints(&[&app.endpoint]).start();
    let url = format!("http://{}", proxy.address());
    let folder = tempfile::tempdir().expect("a folder");
    let told = apps::run(
        apps::command()
            .arg(format!("{TOOLS}/bin/st"))
            .args(["run", &format!("{url}/openapi.json"), "--no-color", "--continue-on-failure"])
            .args(["--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"])
            .args(["--max-examples", "10", "--no-shrink", "--generation-deterministic"])
            .args(["--request-timeout", "10"])
            .current_dir(folder.path()),
    );
    let told = told.expect("python runs");
    // The application breaks, so it finds failures; that it ran to its end is to be seen.
    assert!(told.said.contains("SUMMARY"), "{told:?}");
    // What uvicorn takes for no HTTP the application never sees.
    let mut client = Client::connect(app.endpoint.parse().expect("an address"));
    client.send("GET /count HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let seen = client.receive("GET").expect("an answer").text();
    let seen: usize = seen.parse().expect("a number");
    let reached = |record: &&serde_json::Value| {
        record["upstream_status"].as_u64().is_some_and(|status| status != 400)
    };
    let records = until("a record of each request", || {
        let records = proxy.log.records();
        (records.iter().filter(reached).count() >= seen - 1).then_some(records)
    });
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for record in &records {
        let status = record["status"].as_u64().unwrap_or_default();
        let cause = record["cause"].as_str().unwrap_or("none");
        *causes.entry(format!("{status} {cause}")).or_default() += 1;
        assert!(status < 500 || record["generated"] == false, "made here: {record:#}");
        assert!(status < 500 || cause == "origin_error", "not the application's: {record:#}");
        let refused = record["generated"] == true;
        assert!(!refused || record["party"] == "client", "whose fault? {record:#}");
    }
    assert!(records.len() > 40, "it made up {} requests: {causes:?}", records.len());
    assert!(causes.contains_key("500 origin_error"), "{causes:?}");
    // None was lost or doubled.
    assert_eq!(records.iter().filter(reached).count(), seen - 1, "{causes:?}");
}
