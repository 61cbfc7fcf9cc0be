//! Starts a successor: the program of the same path with the same arguments.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use crate::notice;

/// The argument by which a process takes over.
const TAKEOVER: &str = "--takeover";
/// What stands in the environment for this process alone.
const OURS: [&str; 4] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// What this process was started as.
#[derive(Clone, Debug)]
pub(in crate::server) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// Looks while it is still there: a newer one will stand in its place. Where a path was given,
    /// it is kept as it was, for it may be a link that leads elsewhere by then.
    pub(in crate::server) fn of_this() -> Option<Self> {
        let mut arguments = env::args_os();
        let named = PathBuf::from(arguments.next()?);
        let path = if named.components().count() > 1 {
            std::path::absolute(named).ok()?
        } else {
            env::current_exe().ok()?
        };
        let mut arguments: Vec<OsString> = arguments.collect();
        if !arguments.iter().any(|argument| argument == TAKEOVER) {
            arguments.push(TAKEOVER.into());
        }
        Some(Self { path, arguments })
    }

    /// Starts it, and tells when it ends before this process does.
    pub(in crate::server) fn start(&self) {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).stdin(Stdio::null());
        for name in OURS {
            command.env_remove(name);
        }
        let path = self.path.display();
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                notice::say(&format!("{path} cannot be started: {error}; this process goes on"));
                return;
            }
        };
        let process = child.id();
        notice::say(&format!("{path} was started as process {process}, to take over"));
        // Unwaited for, it would stay in the system's table.
        let waiting = thread::Builder::new().name("successor".into()).spawn(move || {
            if let Ok(status) = child.wait() {
                notice::say(&format!("process {process} ended with {status}"));
            }
        });
        if let Err(error) = waiting {
            notice::say(&format!("nobody waits for process {process}: {error}"));
        }
    }
}
