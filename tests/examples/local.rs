//! An example as it can be run here: the same text, with free ports in the place of its listeners,
//! origins of the test's own in that of its endpoints, and files of the test's own in that of those
//! that it names.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use whodunit_conf::Checked;

use super::origins::{Endpoint, behind};
use crate::rig::certificates::{Authority, Identity, Says};

/// An example, made local.
pub(super) struct Local {
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
    authority: Authority,
    client: Identity,
    endpoints: Vec<Endpoint>,
    server: Identity,
    folder: TempDir,
}

impl Local {
    /// This example, for clients that ask for these hosts.
    pub(super) fn of(checked: &Checked, text: &str, hosts: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("root");
        let settings = serde_json::to_value(&checked.config).expect("settings can be written");
        let upstreams = settings["upstreams"].as_object().expect("there are some");
        let endpoints = upstreams
            .iter()
            .flat_map(|(name, upstream)| behind(name, upstream, &authority, folder.path()))
            .collect();
        let client = authority.signs(&Says::names(&["client.test"]).of_a_client());
        let server = authority.signs(&Says::names(hosts));
        let (config, log) = (folder.path().join("whodunit.yaml"), folder.path().join("log.json"));
        let local = Self { config, log, authority, client, endpoints, server, folder };
        std::fs::write(&local.config, local.rewrite(text, &settings)).expect("it is ours");
        local
    }

    /// The authorities that the system trusts are those of the test.
    pub(super) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("SSL_CERT_FILE", self.authority.file())]
    }

    /// Asks for this, which is a URL without its scheme, at a listener: status and body.
    pub(super) fn curl(&self, listener: &str, ask: &str) -> (u16, String) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20"]);
        curl.args(["--write-out", "\n%{http_code}"]);
        curl.arg("--cacert").arg(self.authority.file());
        curl.arg("--cert").arg(self.client.file()).arg("--key").arg(self.client.key_file());
        let scheme = if let Some(socket) = listener.strip_prefix("unix:") {
            curl.args(["--unix-socket", socket]);
            "http"
        } else {
            let (scheme, address) = listener.split_once("://").expect("scheme and address");
            curl.args(["--connect-to", &format!("::{address}")]);
            scheme
        };
        let output = curl.arg(format!("{scheme}://{ask}")).output().expect("it is installed");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{ask} at {listener}: {complaint}");
        let (body, status) = said.rsplit_once('\n').expect("it ends in the status");
        (status.parse().expect("a status"), body.to_owned())
    }

    /// The text, line by line: what a line means follows from the section that it stands in.
    fn rewrite(&self, text: &str, settings: &Value) -> String {
        let (mut section, mut upstream, mut listeners) = (String::new(), String::new(), 0);
        let mut local = String::new();
        for line in text.lines() {
            if let Some(key) = key_at(line, 0) {
                key.clone_into(&mut section);
            }
            let line = match section.as_str() {
                "listeners" => {
                    let own = settings["listeners"][listeners]["address"].as_str();
                    let own = own.filter(|own| line.contains(own));
                    own.map_or_else(
                        || line.to_owned(),
                        |own| {
                            listeners += 1;
                            line.replace(own, &self.listener(own, listeners))
                        },
                    )
                }
                "admin" => line.replace("127.0.0.1:9901", "127.0.0.1:0"),
                "upstreams" => {
                    if let Some(name) = key_at(line, 2) {
                        name.clone_into(&mut upstream);
                    }
                    self.elsewhere(line, &upstream)
                }
                _ => line.to_owned(),
            };
            // Where records go, and which, is the test's to say.
            if section != "log" {
                local.push_str(&self.files(&line));
                local.push('\n');
            }
        }
        if settings["admin"].is_object() && !text.contains("\nadmin:") {
            local.push_str("admin: { address: \"127.0.0.1:0\" }\n");
        }
        local + &format!("log: {{ path: \"{}\", which: all }}\n", self.log.display())
    }

    fn listener(&self, written: &str, nth: usize) -> String {
        if written.starts_with("unix:") {
            return format!("unix:{}/listener-{nth}.sock", self.folder.path().display());
        }
        "127.0.0.1:0".to_owned()
    }

    /// The line of an upstream with each endpoint where it is here. By way of a mark, as one may
    /// have been written as another one is now.
    fn elsewhere(&self, line: &str, upstream: &str) -> String {
        let own = self.endpoints.iter().enumerate().filter(|(_, it)| it.upstream == upstream);
        let mark = |nth: usize| format!("\u{1}{nth}\u{1}");
        let marked = own
            .clone()
            .fold(line.to_owned(), |line, (nth, it)| line.replace(&it.written, &mark(nth)));
        own.fold(marked, |line, (nth, it)| line.replace(&mark(nth), &it.place))
    }

    /// The line with the files of certificates, keys and authorities that are here. Its comment is
    /// left alone.
    fn files(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (key, file) in [
            ("cert:", self.server.file()),
            ("key:", self.server.key_file()),
            ("ca:", self.authority.file()),
            ("client_cert:", self.client.file()),
            ("client_key:", self.client.key_file()),
        ] {
            let Some(at) = after(&line, key) else { continue };
            let value: String = line[at..].chars().take_while(|c| !" ,}\"".contains(*c)).collect();
            if !value.is_empty() && value != "null" {
                line.replace_range(at..at + value.len(), &file.display().to_string());
            }
        }
        line
    }
}

/// The key that a line begins with, if it is indented so.
fn key_at(line: &str, indent: usize) -> Option<&str> {
    let rest = line.get(indent..).filter(|_| line[..indent].trim().is_empty())?;
    let (key, _) = rest.split_once(':')?;
    (!key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))).then_some(key)
}

/// Where the value of this key begins in a line.
fn after(line: &str, key: &str) -> Option<usize> {
    let at = line
        .match_indices(key)
        .map(|(at, _)| at)
        .find(|at| line[..*at].chars().next_back().is_none_or(|before| " {-".contains(before)))?;
    let value = &line[at + key.len()..];
    let skip = value.len() - value.trim_start_matches([' ', '"']).len();
    Some(at + key.len() + skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_found_where_they_stand() {
        assert_eq!(key_at("upstreams:", 0), Some("upstreams"));
        assert_eq!(key_at("  web: { endpoints: [] }", 2), Some("web"));
        assert_eq!(key_at("    tls: {}", 2), None);
        assert_eq!(key_at("# a comment: so", 0), None);
        let line = "tls: { sni: a, ca: \"/x/ca.pem\" }";
        assert!(after(line, "ca:").is_some_and(|at| line[at..].starts_with("/x/ca.pem")));
        assert_eq!(after("  client_ca: x", "ca:"), None);
    }
}
