//! php-fpm behind nginx, with one worker.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::geteuid;

use super::nginx::Nginx;
use super::server::Server;
use super::{Verdict, before, encounters};
use crate::rig::promise::Told;
use crate::rig::until;

const PASSED: Verdict =
    Verdict { cause: "origin_error", party: "origin", phase: "wait", status: 502 };

/// Packages put the version into the name.
fn program() -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    let files = folders.iter().flat_map(std::fs::read_dir).flatten().flatten();
    files.map(|file| file.path()).find(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("php-fpm"))
    })
}

/// A GET for this script while another request keeps the only worker busy, or does not.
fn get(script: &str, busy: bool) -> Result<Told, String> {
    let program = program().ok_or("php-fpm is not installed")?;
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let write =
        |name: &str, text: &str| std::fs::write(at(name), text).expect("the folder is ours");
    write("slow.php", "<?php while (true) { usleep(10000); }");
    write("busy.php", "<?php touch(__DIR__ . '/is-busy'); usleep(2500000); echo 'ok';");
    write("ok.php", "<?php echo 'ok';");
    write(
        "fpm.conf",
        &format!(
            "[global]\nerror_log = /proc/self/fd/2\ndaemonize = no\n[www]\nlisten = {}\n\
             pm = static\npm.max_children = 1\nrequest_terminate_timeout = {}\n",
            at("fpm.sock").display(),
            if busy { "0" } else { "1s" },
        ),
    );
    let mut command = Command::new(program);
    command.arg("--nodaemonize").arg("--fpm-config").arg(at("fpm.conf"));
    if geteuid().is_root() {
        command.arg("--allow-to-run-as-root");
    }
    let mut server = Server::start(&mut command)?;
    server.says("ready to handle connections");
    let nginx = Nginx::with(&format!(
        "fastcgi_param REQUEST_METHOD GET; fastcgi_param SCRIPT_FILENAME {}$uri; \
         location / {{ fastcgi_pass unix:{socket}; fastcgi_read_timeout 10s; }} \
         location = /ok.php {{ fastcgi_pass unix:{socket}; fastcgi_read_timeout 1s; }}",
        folder.path().display(),
        socket = at("fpm.sock").display(),
    ))?;
    let proxy = before(&nginx.endpoint).start();
    if !busy {
        return Ok(proxy.get(script));
    }
    let mut told = proxy.exchanges(2, || {
        let mut first = proxy.connect();
        first.send("GET /busy.php HTTP/1.1\r\nHost: app.test\r\n\r\n");
        until("the worker to be busy", || at("is-busy").exists().then_some(()));
        let mut second = proxy.connect();
        second.send(format!("GET {script} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
        // The second is over first.
        vec![second.receive("GET"), first.receive("GET")]
    });
    assert_eq!(told.pop().expect("there were two").status(), 200);
    Ok(told.pop().expect("there were two"))
}

encounters! {
    /// `request_terminate_timeout`: the worker is killed.
    request_terminated = PASSED, || get("/slow.php", false);
    /// `pm.max_children`: nobody is left to take the request, and nginx loses patience.
    workers_exhausted = Verdict { status: 504, ..PASSED }, || get("/ok.php", true);
}

#[test]
fn a_good_answer_passes() {
    match get("/ok.php", false) {
        Ok(told) => assert_eq!((told.status(), told.answer().text().as_str()), (200, "ok")),
        Err(why) => crate::rig::skip("strangers::php::a_good_answer_passes", &why),
    }
}
