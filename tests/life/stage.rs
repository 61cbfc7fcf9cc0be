//! Processes that follow each other with one configuration.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::rig::client::Client;
use crate::rig::log::Log;
use crate::rig::message::Response;
use crate::rig::proxy::Process;
use crate::rig::settings::Settings;

/// A folder of one's own with a configuration.
pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    /// With a configuration in which `takeover.path` is set.
    pub(crate) fn new(settings: impl FnOnce(&Path) -> Settings) -> Self {
        let stage = Self { folder: tempfile::tempdir().expect("a folder") };
        stage.open_to(0o700);
        let path = format!("path: \"{}\"", stage.path("takeover.sock").display());
        stage.write(&settings(stage.folder.path()).with("takeover", &path));
        stage
    }

    /// The same without.
    pub(crate) fn bare(settings: &Settings) -> Self {
        let stage = Self { folder: tempfile::tempdir().expect("a folder") };
        stage.write(settings);
        stage
    }

    /// Replaces the configuration.
    pub(crate) fn write(&self, settings: &Settings) {
        self.write_as(&settings.yaml(&self.path("log.json")));
    }

    /// Replaces it by this text.
    pub(crate) fn write_as(&self, yaml: &str) {
        let fresh = self.path("whodunit.yaml.new");
        fs::write(&fresh, yaml).expect("the folder is ours");
        fs::rename(&fresh, self.config()).expect("the folder is ours");
    }

    /// The configuration's text.
    pub(crate) fn yaml(&self) -> String {
        fs::read_to_string(self.config()).expect("it was written")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("whodunit.yaml")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> Log {
        Log::at(&self.path("log.json"))
    }

    /// Sets the rights to the folder.
    pub(crate) fn open_to(&self, mode: u32) {
        let rights = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.folder.path(), rights).expect("the folder is ours");
    }

    /// Starts a process with it, and these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        self.start_in(arguments, &[])
    }

    /// The same with these in its environment.
    pub(crate) fn start_in(&self, arguments: &[&str], environment: &[(&str, PathBuf)]) -> Process {
        let config = self.config();
        let config = config.to_str().expect("the path is text");
        Process::start_in(&[&["run", "--config", config], arguments].concat(), environment)
    }
}

/// A process that is ready.
pub(crate) fn ready(mut process: Process) -> Process {
    process.says("ready", 0);
    process
}

/// Where a process listens, `nth` of its TCP listeners.
pub(crate) fn address(process: &mut Process, nth: usize) -> SocketAddr {
    let said = process.says("listening on http://", nth);
    said.split(' ').next().and_then(|at| at.parse().ok()).expect("an address")
}

/// Where its operators ask.
pub(crate) fn admin(process: &mut Process) -> SocketAddr {
    process.says("admin on http://", 0).parse().expect("an address")
}

/// A question to an admin listener.
pub(crate) fn ask(admin: SocketAddr, path: &str) -> Response {
    let mut client = Client::connect(admin);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"));
    client.receive("GET").expect("the admin listener answers")
}

/// Descriptors that a process has open.
pub(crate) fn descriptors(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count()
}

/// Memory that a process has in use, in KiB (`proc_pid_status(5)`).
pub(crate) fn memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).expect("the kernel tells")
}
