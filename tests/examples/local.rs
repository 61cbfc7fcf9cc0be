//! An example as it can be run here: the same text, with free ports in the place of its listeners,
//! what a test has in that of its endpoints, and files of the test's own in that of those that it
//! names.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use whodunit_conf::Checked;

use super::origins;
use crate::rig::certificates::{Authority, Identity, Says};
use crate::rig::proxy::Proxy;
use crate::rig::settings::{LOG, Settings};

/// An example that runs.
pub(super) struct Local {
    pub(super) proxy: Proxy,
    pub(super) checked: Checked,
    /// What a client has to have: whom to trust, and its own certificate and key. Written once, since
    /// the proxy watches what it reads.
    pub(super) shown: [PathBuf; 3],
    /// As it was written for this run.
    pub(super) text: String,
    /// What stands behind it.
    pub(super) endpoints: Vec<Endpoint>,
    /// Who signed all certificates, and those of the client and of the listeners.
    _identities: (Arc<Authority>, Identity, BTreeMap<String, Identity>),
    _folder: TempDir,
}

/// An endpoint as it is written, and what stands there in its place.
pub(super) struct Endpoint {
    upstream: String,
    written: String,
    place: String,
    _stands: Box<dyn Any>,
}

/// A place where something is to stand.
pub(super) struct Place<'a> {
    pub(super) upstream: &'a str,
    pub(super) nth: usize,
    /// The endpoint as it is written.
    pub(super) written: &'a str,
    /// The upstream's settings.
    pub(super) settings: &'a Value,
    pub(super) authority: &'a Authority,
    /// Where sockets may be made.
    pub(super) folder: &'a Path,
}

/// Where something stands, and what has to be kept for as long as it is to.
pub(super) type Stands = (String, Box<dyn Any>);

impl Local {
    /// This example in front of origins that answer with the names of their upstreams.
    pub(super) fn start(name: &str) -> Self {
        let authority = Arc::new(Authority::new("root"));
        let started = Self::before(name, authority, |place| Ok(origins::answering(place)));
        started.expect("such origins can always be had")
    }

    /// This example in front of what `stand` puts at each place, or why that cannot be had.
    pub(super) fn before(
        name: &str,
        authority: Arc<Authority>,
        mut stand: impl FnMut(&Place<'_>) -> Result<Stands, String>,
    ) -> Result<Self, String> {
        let file = super::folder().join(format!("{name}.yaml"));
        let (checked, text) = whodunit_conf::load(&file)
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let settings = serde_json::to_value(&checked.config).expect("settings can be written");
        let folder = tempfile::tempdir().expect("a folder");
        let mut endpoints = Vec::new();
        for (upstream, settings) in settings["upstreams"].as_object().expect("there are some") {
            let listed = settings["endpoints"].as_array().expect("there is a list");
            for (nth, endpoint) in listed.iter().enumerate() {
                let written = endpoint.get("address").unwrap_or(endpoint);
                let written = written.as_str().expect("an address is text");
                let (authority, folder) = (&authority, folder.path());
                let place = Place { upstream, nth, written, settings, authority, folder };
                let (place, stands) = stand(&place)?;
                let (upstream, written) = (upstream.clone(), written.to_owned());
                endpoints.push(Endpoint { upstream, written, place, _stands: stands });
            }
        }
        let client = authority.signs(&Says::names(&["client.test"]).of_a_client());
        let servers = servers(&settings, &authority);
        let files = files(&settings, &authority, &client, &servers, folder.path());
        let text = rewrite(&text, &settings, &endpoints, &files);
        let shown = [authority.file(), client.file(), client.key_file()];
        let proxy = Settings::written(text.clone(), checked.config.listeners.len())
            // The authorities that the system trusts are those of the test.
            .amid("SSL_CERT_FILE", &shown[0])
            .start();
        Ok(Self {
            proxy,
            checked,
            shown,
            text,
            endpoints,
            _identities: (authority, client, servers),
            _folder: folder,
        })
    }
}

fn certificates(settings: &Value) -> impl Iterator<Item = &Value> {
    let listeners = settings["listeners"].as_array().into_iter().flatten();
    listeners.filter_map(|listener| listener["tls"]["certificates"].as_array()).flatten()
}

/// What a certificate's file is called after: the name that it is for.
fn stem(file: &Value) -> String {
    let file = Path::new(file.as_str().expect("a path is text"));
    file.file_stem().expect("it has a name").to_string_lossy().into_owned()
}

/// One for each certificate of a listener: for the name that its file is called after, and for those
/// directly below it.
fn servers(settings: &Value, authority: &Authority) -> BTreeMap<String, Identity> {
    let names = certificates(settings).map(|pair| stem(&pair["cert"]));
    let signed = |name: &str| authority.signs(&Says::names(&[name, &format!("*.{name}")]));
    names.map(|name| (name.clone(), signed(&name))).collect()
}

/// Each file that the example names, and what is read here in its place.
fn files(
    settings: &Value,
    authority: &Authority,
    client: &Identity,
    servers: &BTreeMap<String, Identity>,
    folder: &Path,
) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    let mut read = |written: &Value, local: PathBuf| {
        files.extend(written.as_str().map(|written| (written.to_owned(), local)));
    };
    for pair in certificates(settings) {
        let own = &servers[&stem(&pair["cert"])];
        read(&pair["cert"], own.file());
        read(&pair["key"], own.key_file());
    }
    for listener in settings["listeners"].as_array().into_iter().flatten() {
        read(&listener["tls"]["client_auth"]["ca"], authority.file());
    }
    for (_, upstream) in settings["upstreams"].as_object().into_iter().flatten() {
        read(&upstream["tls"]["ca"], authority.file());
        read(&upstream["tls"]["client_cert"], client.file());
        read(&upstream["tls"]["client_key"], client.key_file());
    }
    for (nth, page) in settings["error_pages"].as_array().into_iter().flatten().enumerate() {
        let file = folder.join(format!("page-{nth}.html"));
        std::fs::write(&file, "<p>We are sorry: {cause}, {ref}</p>\n").expect("it is ours");
        read(&page["file"], file);
    }
    // Nobody else may enter the folder of that one.
    let private = folder.join("private");
    DirBuilder::new().mode(0o700).create(&private).expect("it is ours");
    read(&settings["takeover"]["path"], private.join("takeover.sock"));
    files
}

/// The text, line by line: what a line means follows from the section that it stands in.
fn rewrite(
    text: &str,
    settings: &Value,
    endpoints: &[Endpoint],
    files: &[(String, PathBuf)],
) -> String {
    let (mut section, mut upstream) = (String::new(), String::new());
    // Where records go, and which, is the test's to say.
    let log = format!("log:\n  path: \"{LOG}\"\n  which: all\n");
    let mut local = String::new();
    for line in text.lines() {
        if let Some(key) = key_at(line, 0) {
            key.clone_into(&mut section);
        }
        let mut line = match (section.as_str(), key_at(line, 2)) {
            ("log", None) if line == "log:" => log.trim_end().to_owned(),
            ("log", Some("path" | "which")) => continue,
            ("listeners", _) => free(line, settings),
            ("admin", _) => line.replace("127.0.0.1:9901", "127.0.0.1:0"),
            ("upstreams", key) => {
                if let Some(name) = key {
                    name.clone_into(&mut upstream);
                }
                elsewhere(line, endpoints.iter().filter(|it| it.upstream == upstream))
            }
            _ => line.to_owned(),
        };
        for (written, file) in files {
            line = line.replace(written, &file.display().to_string());
        }
        local.push_str(&line);
        local.push('\n');
    }
    if !text.contains("\nlog:") {
        local.push_str(&log);
    }
    if settings["admin"].is_object() && !text.contains("\nadmin:") {
        local.push_str("admin: { address: \"127.0.0.1:0\" }\n");
    }
    local
}

/// The line of a listener, which takes any free port.
fn free(line: &str, settings: &Value) -> String {
    let listeners = settings["listeners"].as_array().expect("there is a list");
    let own = listeners.iter().filter_map(|listener| listener["address"].as_str());
    own.fold(line.to_owned(), |line, own| {
        line.replace(&format!("address: {own}"), "address: 127.0.0.1:0")
    })
}

/// The line of an upstream with each endpoint where it is here. By way of a mark, as one may have
/// been written as another one is now.
fn elsewhere<'a>(line: &str, own: impl Iterator<Item = &'a Endpoint> + Clone) -> String {
    let mark = |nth: usize| format!("\u{1}{nth}\u{1}");
    let marks = own.clone().enumerate();
    let marked =
        marks.fold(line.to_owned(), |line, (nth, it)| line.replace(&it.written, &mark(nth)));
    own.enumerate().fold(marked, |line, (nth, it)| line.replace(&mark(nth), &it.place))
}

/// The key that a line begins with, if it is indented so.
fn key_at(line: &str, indent: usize) -> Option<&str> {
    let rest = line.get(indent..).filter(|_| line[..indent].trim().is_empty())?;
    let (key, _) = rest.split_once(':')?;
    (!key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_where_they_stand() {
        assert_eq!(key_at("upstreams:", 0), Some("upstreams"));
        assert_eq!(key_at("  web: { endpoints: [] }", 2), Some("web"));
        assert_eq!(key_at("    tls: {}", 2), None);
        assert_eq!(key_at("# a comment: so", 0), None);
    }
}
