//! The configuration that a proxy under test is started with.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::certificates::Identity;
use super::origin::{Journal, Origin};
use super::proxy::Proxy;

/// The name of the node under test, unless a test chooses another one.
pub(crate) const NODE: &str = "edge.test";

/// A configuration: all defaults, one listener and one admin listener on free ports, a record for
/// every request.
#[derive(Clone)]
pub(crate) struct Settings {
    node: String,
    listeners: Vec<String>,
    sections: BTreeMap<&'static str, Vec<String>>,
    lists: BTreeMap<&'static str, Vec<String>>,
    upstreams: Vec<(String, Vec<String>)>,
    routes: Vec<String>,
    /// What stands in the process's environment beside what stands in ours.
    pub(super) environment: Vec<(&'static str, PathBuf)>,
    /// What the origins that were named here answered.
    pub(super) journals: Vec<Journal>,
    /// What no client may learn when disclosure is minimal.
    pub(super) hidden: Vec<String>,
    /// All of it as somebody wrote it, and how many listeners that has.
    written: Option<(String, usize)>,
}

/// Stands in a written configuration where the path of the log is to be.
pub(crate) const LOG: &str = "{the log}";

impl Settings {
    /// No upstream at all.
    pub(crate) fn bare() -> Self {
        Self {
            node: NODE.to_owned(),
            listeners: vec!["address: \"127.0.0.1:0\"".to_owned()],
            sections: BTreeMap::new(),
            lists: BTreeMap::new(),
            upstreams: Vec::new(),
            routes: Vec::new(),
            environment: Vec::new(),
            journals: Vec::new(),
            hidden: Vec::new(),
            written: None,
        }
    }

    /// Just this text, with [`LOG`] in it: a configuration of so many listeners, whose records are of
    /// all requests.
    pub(crate) fn written(text: String, listeners: usize) -> Self {
        Self { written: Some((text, listeners)), ..Self::bare() }
    }

    /// One upstream, `web`, with these endpoints.
    pub(crate) fn endpoints(endpoints: &[&str]) -> Self {
        Self::bare().upstream("web", endpoints)
    }

    /// One upstream, `web`, that is this origin.
    pub(crate) fn to(origin: &Origin) -> Self {
        Self::endpoints(&[&origin.endpoint]).knowing(origin)
    }

    /// The origin's answers are what the proxy has to pass on.
    pub(crate) fn knowing(self, origin: &Origin) -> Self {
        self.passing(origin.journal())
    }

    /// The answers in this journal are what the proxy has to pass on.
    pub(crate) fn passing(mut self, journal: Journal) -> Self {
        self.journals.push(journal);
        self
    }

    /// Another upstream.
    pub(crate) fn upstream(mut self, name: &str, endpoints: &[&str]) -> Self {
        let listed: Vec<String> = endpoints.iter().map(|e| format!("\"{e}\"")).collect();
        self.hidden.extend(endpoints.iter().map(|e| (*e).to_owned()));
        self.upstream_of(name, &format!("endpoints: [ {} ]", listed.join(", ")))
    }

    /// Another upstream, as in `endpoints: [ … ]`.
    pub(crate) fn upstream_of(mut self, name: &str, entry: &str) -> Self {
        self.upstreams.push((name.to_owned(), vec![entry.to_owned()]));
        self
    }

    /// Another key of the upstream that was named last, as in `retries: { attempts: 1 }`.
    pub(crate) fn having(mut self, entry: &str) -> Self {
        self.upstreams.last_mut().expect("there is an upstream").1.push(entry.to_owned());
        self
    }

    /// Another route, as in `match: { path: /api/ }, upstream: api`.
    pub(crate) fn route(mut self, entry: &str) -> Self {
        self.routes.push(entry.to_owned());
        self
    }

    /// Another key of a section, as in `"timeouts", "read: 300ms"`.
    pub(crate) fn with(mut self, section: &'static str, entry: &str) -> Self {
        self.sections.entry(section).or_default().push(entry.to_owned());
        self
    }

    /// Another item of a section that is a list of maps.
    pub(crate) fn listed(mut self, section: &'static str, entry: &str) -> Self {
        self.lists.entry(section).or_default().push(format!("{{ {entry} }}"));
        self
    }

    /// With this in its environment.
    pub(crate) fn amid(mut self, name: &'static str, value: &Path) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Another node's name.
    pub(crate) fn named(mut self, node: &str) -> Self {
        node.clone_into(&mut self.node);
        self
    }

    /// Another listener.
    pub(crate) fn listener(mut self, address: &str) -> Self {
        self.listeners.push(format!("address: \"{address}\""));
        self
    }

    /// The listener that was named last takes HTTP/2 without TLS.
    pub(crate) fn h2c(mut self) -> Self {
        self.listeners.last_mut().expect("there is a listener").push_str(", h2c: true");
        self
    }

    /// This listener in place of the one that was named last.
    pub(crate) fn instead(mut self, address: &str) -> Self {
        self.listeners.pop();
        self.listener(address)
    }

    /// The listener that was named last has this key besides, as in `redirect: https`.
    pub(crate) fn listening(mut self, entry: &str) -> Self {
        let listener = self.listeners.last_mut().expect("there is a listener");
        write!(listener, ", {entry}").expect("a string takes it");
        self
    }

    /// The listener that was named last has the proxies in front tell whose connection it is.
    pub(crate) fn proxied(self) -> Self {
        self.listening("proxy_protocol: true")
    }

    /// The listener that was named last speaks TLS with these certificates, and has these keys in
    /// its `tls` besides, as in `min_version: "1.3"`.
    pub(crate) fn secured(mut self, identities: &[&Identity], more: &str) -> Self {
        let pair = |identity: &&Identity| {
            let (cert, key) = (identity.file(), identity.key_file());
            format!("{{ cert: \"{}\", key: \"{}\" }}", cert.display(), key.display())
        };
        let pairs: Vec<String> = identities.iter().map(pair).collect();
        let listener = self.listeners.last_mut().expect("there is a listener");
        write!(listener, ", tls: {{ certificates: [ {} ], {more} }}", pairs.join(", "))
            .expect("a string takes it");
        self
    }

    /// Never retries, so that a failure is told of as it is.
    pub(crate) fn once(self) -> Self {
        self.having("retries: { attempts: 1 }")
    }

    /// Tells clients as little as possible.
    pub(crate) fn discreet(mut self) -> Self {
        self.hidden.extend(self.upstreams.iter().map(|(name, _)| format!("`{name}`")));
        self.with("diagnosis", "disclosure: minimal")
    }

    /// Whether clients are told as little as possible.
    pub(super) fn is_discreet(&self) -> bool {
        self.sections
            .get("diagnosis")
            .is_some_and(|entries| entries.iter().any(|entry| entry == "disclosure: minimal"))
    }

    /// The node's name.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// How many listeners there are.
    pub(super) fn listeners(&self) -> usize {
        self.written.as_ref().map_or(self.listeners.len(), |(_, listeners)| *listeners)
    }

    /// The configuration as it is written to the file, with the log at `log`.
    pub(crate) fn yaml(&self, log: &Path) -> String {
        if let Some((text, _)) = &self.written {
            return text.replace(LOG, &log.display().to_string());
        }
        let mut sections = self.sections.clone();
        sections.entry("admin").or_insert_with(|| vec!["address: \"127.0.0.1:0\"".to_owned()]);
        let records = sections.entry("log").or_default();
        records.push(format!("path: \"{}\"", log.display()));
        if !records.iter().any(|entry| entry.starts_with("which:")) {
            records.push("which: all".to_owned());
        }
        // A look that no client asked for is one that no origin of a test expects.
        let told = sections.entry("diagnosis").or_default();
        if !told.iter().any(|entry| entry.starts_with("checks:")) {
            told.push("checks: false".to_owned());
        }
        let mut yaml = format!("node: \"{}\"\nlisteners:\n", self.node);
        for listener in &self.listeners {
            writeln!(yaml, "  - {{ {listener} }}").expect("a string takes it");
        }
        for (section, entries) in &sections {
            writeln!(yaml, "{section}: {{ {} }}", entries.join(", ")).expect("a string takes it");
        }
        for (section, items) in &self.lists {
            writeln!(yaml, "{section}: [ {} ]", items.join(", ")).expect("a string takes it");
        }
        if !self.routes.is_empty() {
            yaml.push_str("routes:\n");
        }
        for route in &self.routes {
            writeln!(yaml, "  - {{ {route} }}").expect("a string takes it");
        }
        if !self.upstreams.is_empty() {
            yaml.push_str("upstreams:\n");
        }
        for (name, entries) in &self.upstreams {
            writeln!(yaml, "  {name}: {{ {} }}", entries.join(", ")).expect("a string takes it");
        }
        yaml
    }

    /// A proxy that runs with this.
    pub(crate) fn start(self) -> Proxy {
        Proxy::start(self)
    }
}
