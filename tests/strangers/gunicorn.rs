//! gunicorn, with one worker that takes one request at a time and is killed after a second.

use std::process::Command;

use super::server::{Server, at};
use super::{Verdict, before, encounters};
use crate::rig::promise::Told;

const APP: &str = r#"
import os, signal, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(60)
    if path == "/stubborn":
        signal.signal(signal.SIGABRT, signal.SIG_IGN)
        time.sleep(60)
    if path == "/wrong":
        raise RuntimeError("as it is told")
    if path == "/die":
        os.kill(os.getpid(), 9)
    start_response("200 OK", [("Content-Length", "100")])
    def body():
        yield b"only so much"
        os.kill(os.getpid(), 9)
    return body() if path == "/half" else [b"x" * 100]
"#;

const LOST: Verdict =
    Verdict { cause: "origin_closed|origin_reset", party: "origin", phase: "wait", status: 502 };

/// What is said of a GET for this path.
fn get(path: &str) -> Result<Told, String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("app.py"), APP).expect("the folder is ours");
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/python");
    let probe = Command::new("python3")
        .args(["-c", "import gunicorn"])
        .env("PYTHONPATH", tools)
        .output()
        .map_err(|error| format!("python3: {error}"))?;
    if !probe.status.success() {
        return Err("gunicorn is not installed; `.ci/setup test` installs it".to_owned());
    }
    let mut server = Server::start(
        Command::new("python3")
            .args(["-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "1", "--timeout", "1"])
            .arg("--chdir")
            .arg(folder.path())
            .arg("app:app")
            .env("PYTHONPATH", tools)
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    )?;
    let listening = server.says("Listening at: http://127.0.0.1:");
    server.says("Booting worker with pid: ");
    let proxy = before(&at(&listening)).start();
    Ok(proxy.get(path))
}

encounters! {
    /// Its master tells a worker that has been busy for too long to end, which answers by then.
    worker_timed_out = Verdict { cause: "origin_error", status: 500, ..LOST }, || get("/slow");
    /// It kills one that does not hear.
    worker_timed_out_and_was_killed = LOST, || get("/stubborn");
    worker_killed = LOST, || get("/die");
    worker_killed_in_mid_answer = Verdict {
        cause: "response_truncated", phase: "receive", status: 200, ..LOST
    }, || get("/half");
    application_raised = Verdict { cause: "origin_error", status: 500, ..LOST }, || get("/wrong");
}

#[test]
fn a_good_answer_passes() {
    match get("/") {
        Ok(told) => assert_eq!(told.status(), 200),
        Err(why) => crate::rig::skip("strangers::gunicorn::a_good_answer_passes", &why),
    }
}
