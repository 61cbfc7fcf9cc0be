//! Programs of others: servers in Python, and clients.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::strangers::server::Server;

/// Where `.ci/setup test` puts what it has from `PyPI` for these tests.
pub(crate) const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/everyday");

/// A running server in Python.
pub(crate) struct App {
    pub(crate) endpoint: String,
    pub(crate) server: Server,
    _folder: TempDir,
}

impl App {
    /// Starts one that needs this package, and that says `port NUMBER` once it listens. Why there
    /// is none, otherwise.
    pub(crate) fn start(package: &str, text: &str) -> Result<Self, String> {
        python(package)?;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.py");
        std::fs::write(&file, text).expect("the folder is ours");
        let mut server = Server::start(command().arg("-u").arg(file))?;
        let port = server.says("port ");
        Ok(Self { endpoint: format!("127.0.0.1:{}", port.trim()), server, _folder: folder })
    }
}

/// Python, with what these tests have from `PyPI`.
pub(crate) fn command() -> Command {
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", TOOLS).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// Why this package cannot be had, if so.
pub(crate) fn python(package: &str) -> Result<(), String> {
    let probe = command().arg("-c").arg(format!("import {package}")).output();
    match probe {
        Ok(probe) if probe.status.success() => Ok(()),
        Ok(_) => Err(format!("{package} is not installed; `.ci/setup test` installs it")),
        Err(error) => Err(format!("python3: {error}")),
    }
}

/// What a program says that is to come to its end by itself: its standard output and, where it
/// fails, all else. Why it cannot be run, otherwise.
pub(crate) fn run(command: &mut Command) -> Result<Output, String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Output {
        good: output.status.success(),
        said: text(&output.stdout),
        complained: text(&output.stderr),
        bytes: output.stdout,
    })
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) good: bool,
    pub(crate) said: String,
    pub(crate) complained: String,
    pub(crate) bytes: Vec<u8>,
}
