//! Node, whose server closes connections that are idle for a second.

use std::net::SocketAddr;
use std::process::Command;

use super::server::{Server, at, unread};
use super::{Verdict, before, encounters};
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::until;

const APP: &str = r#"
const fs = require("fs");
const nothing = new Int32Array(new SharedArrayBuffer(4));
// At work, and deaf to all else, until the file is there; it tells when connections are overdue.
function work() {
  const began = Date.now();
  while (Date.now() - began < 500) Atomics.wait(nothing, 0, 0, 2);
  fs.writeSync(1, "overdue now\n");
  while (!fs.existsSync(process.env.LET_GO)) Atomics.wait(nothing, 0, 0, 2);
}
// The work begins a little before the connection is to be closed, in the phase of the loop after
// which timers come next.
function then_work(socket) {
  const set = socket.setTimeout;
  socket.setTimeout = (time, ...rest) => {
    if (time) setTimeout(() => setImmediate(work), time - 300);
    return set.call(socket, time, ...rest);
  };
}
const server = require("http").createServer((request, response) => {
  if (request.url === "/die") process.exit(1);
  if (request.url === "/throw") throw new Error("as it is told");
  if (request.url === "/half") {
    response.writeHead(200, { "Content-Length": 100 });
    response.write("only so much", () => response.destroy());
    return;
  }
  request.resume();
  if (request.url === "/idle") then_work(request.socket);
  response.end("ok");
});
server.keepAliveTimeout = 1000;
server.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
"#;

const LOST: Verdict =
    Verdict { cause: "origin_closed|origin_reset", party: "origin", phase: "wait", status: 502 };

/// Before this server.
fn with(meet: impl FnOnce(&Proxy) -> Told) -> Result<Told, String> {
    let mut server = Server::start(Command::new("node").args(["-e", APP]))?;
    let port = server.says("port ");
    Ok(meet(&before(&at(&port)).start()))
}

/// A connection is overdue while the server is at work, and closed as soon as that is done: Node
/// looks at its clock before it looks at its sockets. By then there is a request on it.
fn overdue() -> Result<Told, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let go = folder.path().join("go");
    let mut server = Server::start(Command::new("node").args(["-e", APP]).env("LET_GO", &go))?;
    let endpoint = at(&server.says("port "));
    let address: SocketAddr = endpoint.parse().expect("an address");
    let proxy = before(&endpoint).start();
    assert_eq!(proxy.get("/idle").status(), 200);
    server.says("overdue now");
    let told = proxy.tell(|client| {
        client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
        until("the request to lie before the server", || unread(address.port()).then_some(()));
        std::fs::write(&go, "").expect("the folder is ours");
        client.receive("POST")
    });
    Ok(told)
}

encounters! {
    idle_connection_closed = Verdict {
        cause: "keepalive_race", party: "proxy", phase: "send|wait", status: 502
    }, overdue;
    process_ended = LOST, || with(|proxy| proxy.get("/die"));
    exception_thrown = LOST, || with(|proxy| proxy.get("/throw"));
    answer_destroyed = Verdict { cause: "response_truncated", phase: "receive", status: 200, ..LOST },
        || with(|proxy| proxy.get("/half"));
}
