//! curl, as an operator uses it to see whether a configuration does what it is to do.

use std::net::SocketAddr;
use std::process::Command;

use super::local::Local;

/// What curl got.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Of HTTP, such as `1.1` or `2`.
    pub(super) version: String,
    pub(super) body: String,
    head: String,
}

impl Answer {
    /// A field of its header section.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Why there is no curl, if so.
pub(super) fn installed() -> Result<(), String> {
    let missing = |_| "curl is not installed; `.ci/setup test` installs it".to_owned();
    Command::new("curl").arg("--version").output().map(drop).map_err(missing)
}

impl Local {
    /// Asks for this at a listener: a URL without its scheme, after the method if that is not GET.
    /// `more` are options of curl's.
    pub(super) fn ask(&self, nth: usize, ask: &str, more: &[&str]) -> Answer {
        let listener = &self.checked.config.listeners[nth];
        let (method, url) = ask.split_once(' ').unwrap_or(("GET", ask));
        let at: SocketAddr = self.proxy.addresses[nth];
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--include"]);
        curl.args(["--write-out", "\n%{http_code} %{http_version}", "--request", method]);
        curl.args(["--connect-to", &format!("::{at}")]).args(more);
        for (option, file) in ["--cacert", "--cert", "--key"].iter().zip(&self.shown) {
            curl.arg(option).arg(file);
        }
        if listener.proxy_protocol {
            curl.arg("--haproxy-protocol");
        }
        let scheme = if listener.tls.is_some() { "https" } else { "http" };
        let output = curl.arg(format!("{scheme}://{url}")).output().expect("it is installed");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{ask} at {at}: {complaint}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (said, last) = said.rsplit_once('\n').expect("it ends in the status");
        let (status, version) = last.split_once(' ').expect("and the version");
        let (head, body) = said.split_once("\r\n\r\n").expect("a header section and a body");
        Answer {
            status: status.parse().expect("a status"),
            version: version.to_owned(),
            body: body.to_owned(),
            head: head.to_owned(),
        }
    }
}
