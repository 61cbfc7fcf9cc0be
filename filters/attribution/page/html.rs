//! The page for a browser. Its template has a slot `{{name}}` for each text; there is no way to
//! fill one but through [`Html`], which escapes.

use std::sync::LazyLock;

use super::prose::parts;
use super::{Told, title};
use crate::attribution::evidence::{Party, Phase};
use crate::attribution::text::replace;

const TEMPLATE: &str = include_str!("../page.html");

/// The template's own text and the slot behind each piece of it; none behind the last.
static PIECES: LazyLock<Vec<(&str, Option<&str>)>> = LazyLock::new(|| {
    let mut pieces = Vec::new();
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (slot, after) = after.split_once("}}").expect("the template closes its slots");
        pieces.push((before, Some(slot)));
        rest = after;
    }
    pieces.push((rest, None));
    pieces
});

/// A page being written. What is not ours goes in escaped, safe between tags and in quoted
/// attributes.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn text(&mut self, text: &str) {
        let special = |byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'');
        replace(text, &mut self.0, special, |out, c| {
            out.push_str(match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                _ => "&#39;",
            });
        });
    }

    /// A sentence; what is code in it is marked as code.
    pub(super) fn sentence(&mut self, text: &str) {
        for (code, part) in parts(text) {
            if code {
                self.0.push_str("<code>");
                self.text(part);
                self.0.push_str("</code>");
            } else {
                self.text(part);
            }
        }
    }

    fn ours(&mut self, html: &'static str) {
        self.0.push_str(html);
    }

    /// What a deployment wrote itself.
    pub(super) fn own(&mut self, html: &str) {
        self.0.push_str(html);
    }

    pub(super) fn finish(self) -> String {
        self.0
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
    let mut html = Html(String::with_capacity(TEMPLATE.len() + 2048));
    for (ours, slot) in PIECES.iter() {
        html.ours(ours);
        let Some(slot) = slot else { break };
        match *slot {
            "title" => {
                let mut text = String::new();
                title(status, &mut text);
                html.text(&text);
            }
            "what" => html.sentence(&told.what),
            "todo" => html.sentence(&told.todo),
            "facts" => facts(told, time, &mut html),
            "client_mark" => html.text(client.0),
            "client" => html.text(client.1),
            "near_mark" => html.text(near.0),
            "near" => html.text(near.1),
            "proxy_mark" => html.text(proxy.0),
            "proxy" => html.text(proxy.1),
            "far_mark" => html.text(far.0),
            "far" => html.text(far.1),
            "origin_name" if told.diagnosis.party == Party::NextHop => html.text("Next proxy"),
            "origin_name" => html.text("Origin"),
            "origin_mark" => html.text(origin.0),
            "origin" => html.text(origin.1),
            slot => unreachable!("the template has a slot {slot}, and there is no text for it"),
        }
    }
    html.finish()
}

fn facts(told: &Told<'_>, time: &str, html: &mut Html) {
    for (label, value) in told.facts(time) {
        html.ours("<dt>");
        html.ours(label);
        html.ours("</dt><dd>");
        html.text(value);
        html.ours("</dd>\n");
    }
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
