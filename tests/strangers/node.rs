//! Node, whose server closes connections that are idle for a second.

use std::process::Command;

use super::server::{Server, at};
use super::{Verdict, before, encounters};
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;

const APP: &str = r#"
const fs = require("fs");
const nothing = new Int32Array(new SharedArrayBuffer(4));
// Whether something lies on a connection that was not read (proc(5)).
function unread() {
  const port = ":" + server.address().port.toString(16).toUpperCase().padStart(4, "0");
  const sockets = fs.readFileSync("/proc/net/tcp", "utf8").split("\n").map((l) => l.trim().split(/\s+/));
  return sockets.some((s) => s[1]?.endsWith(port) && s[3] === "01" && !s[4].endsWith(":00000000"));
}
// At work, and deaf to all else, until a connection is overdue and then there is a request on it.
function work() {
  const began = Date.now();
  while (Date.now() - began < 500) Atomics.wait(nothing, 0, 0, 2);
  fs.writeSync(1, "overdue now\n");
  while (!unread()) Atomics.wait(nothing, 0, 0, 1);
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

/// What takes longer is no race to the proxy, in milliseconds.
const AT_ONCE: u64 = 300;

/// Before this server.
fn with(meet: impl FnOnce(&Proxy) -> Told) -> Result<Told, String> {
    let mut server = Server::start(Command::new("node").args(["-e", APP]))?;
    let port = server.says("port ");
    Ok(meet(&before(&at(&port)).start()))
}

/// A connection is overdue while the server is at work, and closed as soon as that is done: Node
/// looks at its clock before it looks at its sockets. By then there is a request on it.
fn overdue() -> Result<Told, String> {
    let mut server = Server::start(Command::new("node").args(["-e", APP]))?;
    let proxy = before(&at(&server.says("port "))).start();
    assert_eq!(proxy.get("/idle").status(), 200);
    server.says("overdue now");
    Ok(proxy.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi"))
}

/// The same at once: on a machine that is busy otherwise, the server may be so late that it could as
/// well have read the request.
fn overdue_at_once() -> Result<Told, String> {
    for _ in 0..9 {
        let told = overdue()?;
        if told.value("evidence.waited_ms").as_u64() <= Some(AT_ONCE) {
            return Ok(told);
        }
    }
    Err("this machine is too busy for anything to happen at once".to_owned())
}

encounters! {
    idle_connection_closed = Verdict {
        cause: "keepalive_race", party: "proxy", phase: "send|wait", status: 502
    }, overdue_at_once;
    process_ended = LOST, || with(|proxy| proxy.get("/die"));
    exception_thrown = LOST, || with(|proxy| proxy.get("/throw"));
    answer_destroyed = Verdict { cause: "response_truncated", phase: "receive", status: 200, ..LOST },
        || with(|proxy| proxy.get("/half"));
}
