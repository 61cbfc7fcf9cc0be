//! The page for a browser. Its template has a slot `{{name}}` for each text; there is no way to
//! fill one but through [`Html`], which escapes.

use std::fmt::Write;

use super::prose::parts;
use super::{Told, title};
use crate::attribution::evidence::{Party, Phase};

const TEMPLATE: &str = include_str!("../page.html");

/// Text that is safe between tags and in quoted attributes.
pub(super) struct Html(pub(super) String);

impl Html {
    fn escape(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                _ => out.push(c),
            }
        }
        Self(out)
    }

    /// A sentence; what is code in it is marked as code.
    pub(super) fn sentence(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + 32);
        for (code, part) in parts(text) {
            let part = Self::escape(part).0;
            if code {
                out.extend(["<code>", &part, "</code>"]);
            } else {
                out.push_str(&part);
            }
        }
        Self(out)
    }
}

/// One station or link of the way: its mark and its state in words.
type State = (&'static str, &'static str);

const WORKS: State = ("good", "works");
const FAILED: State = ("bad", "failed here");
const BROKEN: State = ("bad", "broke here");
const UNUSED: State = ("", "not reached");

pub(super) fn page(told: &Told<'_>, status: u16, time: &str) -> String {
    let [client, near, proxy, far, origin] = way(told.diagnosis.party, told.diagnosis.phase);
    let mut facts = Html(String::new());
    for (label, value) in told.facts(time) {
        let value = Html::escape(&value).0;
        writeln!(facts.0, "<dt>{label}</dt><dd>{value}</dd>").expect("a String takes all");
    }
    let last = if told.diagnosis.party == Party::NextHop { "Next proxy" } else { "Origin" };
    fill(&[
        ("title", Html::escape(&title(status))),
        ("what", Html::sentence(&told.what)),
        ("todo", Html::sentence(&told.todo)),
        ("facts", facts),
        ("client_mark", Html::escape(client.0)),
        ("client", Html::escape(client.1)),
        ("near_mark", Html::escape(near.0)),
        ("near", Html::escape(near.1)),
        ("proxy_mark", Html::escape(proxy.0)),
        ("proxy", Html::escape(proxy.1)),
        ("far_mark", Html::escape(far.0)),
        ("far", Html::escape(far.1)),
        ("origin_name", Html::escape(last)),
        ("origin_mark", Html::escape(origin.0)),
        ("origin", Html::escape(origin.1)),
    ])
}

/// The states of client, link, proxy, link and origin.
const fn way(party: Party, phase: Phase) -> [State; 5] {
    match (party, phase) {
        (Party::Client, _) => [FAILED, BROKEN, WORKS, UNUSED, UNUSED],
        (Party::Proxy, Phase::Request | Phase::Route) => [WORKS, WORKS, FAILED, UNUSED, UNUSED],
        (Party::Proxy, _) => [WORKS, WORKS, FAILED, broken(phase), ("", "not to blame")],
        (Party::Network, _) => [WORKS, WORKS, WORKS, BROKEN, ("", "not to blame")],
        (Party::NextHop | Party::Origin, _) => [WORKS, WORKS, WORKS, broken(phase), FAILED],
    }
}

/// How the link to the origin ended in this phase.
const fn broken(phase: Phase) -> State {
    match phase {
        Phase::Request | Phase::Route => UNUSED,
        Phase::Dns => ("bad", "no address"),
        Phase::Connect => ("bad", "no connection"),
        Phase::Tls => ("bad", "not secured"),
        Phase::Send => ("bad", "request not taken"),
        Phase::Wait => ("bad", "no good answer"),
        Phase::Receive | Phase::Respond => ("bad", "answer broke off"),
    }
}

fn fill(slots: &[(&str, Html)]) -> String {
    let mut out = String::with_capacity(TEMPLATE.len() + 2048);
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("the template closes its slots");
        let slot = slots.iter().find(|(slot, _)| *slot == name);
        out.push_str(before);
        out.push_str(&slot.expect("every slot of the template has a text").1.0);
        rest = after;
    }
    out.push_str(rest);
    out
}
