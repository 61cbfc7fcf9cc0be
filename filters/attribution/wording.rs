//! From evidence to words: the templates of the catalogue.
//!
//! A template is plain text with `{name}` for a fact: any [`Key`], or one of `next_hop`,
//! `upstream`, `route`, `attempts`, `waited` (how long the attempt took). A part in `[…]` is left
//! out when a fact in it is missing; a missing fact elsewhere reads `an unknown …`.

use super::evidence::{Evidence, Value};
use super::exchange::{Attempt, Exchange};
use super::key::{Key, Unit};

/// The facts that a template is filled from.
pub(crate) struct Words<'a> {
    exchange: &'a Exchange,
    attempt: Option<&'a Attempt>,
    evidence: &'a Evidence,
}

impl<'a> Words<'a> {
    pub(crate) const fn new(
        exchange: &'a Exchange,
        attempt: Option<&'a Attempt>,
        evidence: &'a Evidence,
    ) -> Self {
        Self { exchange, attempt, evidence }
    }

    /// The template with its facts.
    pub(crate) fn fill(&self, template: &str) -> String {
        fill(template, &|name| self.fact(name))
    }

    /// The same with only those facts that may leave on the wire.
    pub(crate) fn fill_for_the_wire(&self, template: &str) -> String {
        fill(template, &|name| {
            let key = name.parse::<Key>().ok()?;
            key.on_the_wire().then(|| self.fact(name))?
        })
    }

    fn fact(&self, name: &str) -> Option<String> {
        if let Ok(key) = name.parse::<Key>()
            && let Some(value) = self.evidence.find(key)
        {
            // The stations of a way have an order that `a, b and c` would hide.
            if let (Key::Trace, Value::List(stations)) = (key, value) {
                return Some(stations.join(" -> "));
            }
            return Some(value.words(key.unit()));
        }
        match name {
            "next_hop" => self.attempt.map(|a| a.next_hop.to_string()),
            "upstream" => self.exchange.upstream.as_deref().map(str::to_owned),
            "route" => self.exchange.route.as_deref().map(str::to_owned),
            "attempts" => Some(self.exchange.attempts_made().to_string()),
            "waited" => self.attempt?.took.map(|d| Value::from(d).words(Unit::Millis)),
            _ => None,
        }
    }
}

/// Whether a template may use this name.
#[cfg(test)]
pub(crate) fn known(name: &str) -> bool {
    name.parse::<Key>().is_ok()
        || ["next_hop", "upstream", "route", "attempts", "waited"].contains(&name)
}

fn fill(template: &str, fact: &dyn Fn(&str) -> Option<String>) -> String {
    weave(template, fact).0
}

/// The template with these facts; `None` when one that it cannot do without is missing.
pub(crate) fn filled(template: &str, fact: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (text, whole) = weave(template, fact);
    whole.then_some(text)
}

/// The filled template, and whether no fact was missing outside the parts that may be left out.
fn weave(template: &str, fact: &dyn Fn(&str) -> Option<String>) -> (String, bool) {
    let mut out = String::with_capacity(template.len() * 2);
    let mut whole = true;
    let mut rest = template;
    while let Some(open) = rest.find(['[', '{']) {
        out.push_str(&rest[..open]);
        let (inner, after, optional) = if rest[open..].starts_with('[') {
            let close = rest[open..].find(']').expect("a template closes its brackets") + open;
            (&rest[open + 1..close], &rest[close + 1..], true)
        } else {
            let close = rest[open..].find('}').expect("a template closes its braces") + open;
            (&rest[open..=close], &rest[close + 1..], false)
        };
        match substitute(inner, fact) {
            Ok(text) => out.push_str(&text),
            Err(_) if optional => {}
            Err(name) => {
                whole = false;
                out.push_str("an unknown ");
                out.push_str(&name.replace('_', " "));
            }
        }
        rest = after;
    }
    out.push_str(rest);
    (out, whole)
}

/// Replaces every `{name}`; fails with the name that there is no fact for.
fn substitute<'t>(text: &'t str, fact: &dyn Fn(&str) -> Option<String>) -> Result<String, &'t str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, after) = after.split_once('}').expect("a template closes its braces");
        out.push_str(&fact(name).ok_or(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled() {
        let fact = |name: &str| (name == "size").then(|| "9 bytes".to_owned());
        assert_eq!(fill("Got {size}.", &fact), "Got 9 bytes.");
        assert_eq!(fill("Got {size}[ of {limit}].", &fact), "Got 9 bytes.");
        assert_eq!(
            fill("Got[ all {size}], over {limit}.", &fact),
            "Got all 9 bytes, over an unknown limit."
        );
        assert_eq!(fill("plain", &fact), "plain");
        assert_eq!(filled("Got {size}[ of {limit}].", &fact).as_deref(), Some("Got 9 bytes."));
        assert_eq!(filled("Got {limit}.", &fact), None);
    }

    #[test]
    fn a_fact_never_acts_as_a_template() {
        let fact = |_: &str| Some("{limit}[x]".to_owned());
        assert_eq!(fill("a {size} b[ {size}]", &fact), "a {limit}[x] b {limit}[x]");
    }
}
