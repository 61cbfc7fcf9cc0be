//! From evidence to words: the templates of the catalogue.
//!
//! A template is plain text with `{name}` for a fact: any [`Key`], or one of `next_hop`,
//! `upstream`, `route`, `attempts`, `waited` (how long the attempt took). A part in `[…]` is left
//! out when a fact in it is missing; a missing fact elsewhere reads `an unknown …`.

mod template;

use std::sync::LazyLock;

use super::cause::{self, CATALOGUE, Cause, Row};
use super::evidence::{Evidence, Value};
use super::exchange::{Attempt, Exchange};
use super::key::{Key, Unit};
use template::Template;

/// What a template names.
struct Fact {
    key: Option<Key>,
    other: Option<Other>,
    /// Whether it may leave on the wire.
    on_the_wire: bool,
}

/// A fact that is no evidence.
#[derive(Clone, Copy)]
enum Other {
    NextHop,
    Upstream,
    Route,
    Attempts,
    Waited,
}

impl Fact {
    fn of(name: &str) -> Self {
        let key: Option<Key> = name.parse().ok();
        let other = match name {
            "next_hop" => Some(Other::NextHop),
            "upstream" => Some(Other::Upstream),
            "route" => Some(Other::Route),
            "attempts" => Some(Other::Attempts),
            "waited" => Some(Other::Waited),
            _ => None,
        };
        Self { key, other, on_the_wire: key.is_some_and(Key::on_the_wire) }
    }
}

/// The templates of a row, taken apart.
struct Sheet {
    says: Template<'static, Fact>,
    remedy: Template<'static, Fact>,
    details: Template<'static, Fact>,
}

impl Sheet {
    fn of(row: &Row) -> Self {
        let template = |text| Template::parse(text, &Fact::of);
        Self {
            says: template(row.says),
            remedy: template(row.remedy),
            details: template(row.details),
        }
    }
}

/// One for each row, in the order of the catalogue.
static SHEETS: LazyLock<Vec<Sheet>> =
    LazyLock::new(|| CATALOGUE.iter().map(|row| Sheet::of(row)).collect());

/// The facts that a row's templates are filled from.
pub(crate) struct Words<'a> {
    sheet: &'static Sheet,
    exchange: &'a Exchange,
    attempt: Option<&'a Attempt>,
    evidence: &'a Evidence,
}

impl<'a> Words<'a> {
    pub(crate) fn new(
        cause: Cause,
        exchange: &'a Exchange,
        attempt: Option<&'a Attempt>,
        evidence: &'a Evidence,
    ) -> Self {
        Self { sheet: &SHEETS[cause::index(cause)], exchange, attempt, evidence }
    }

    /// What happened.
    pub(crate) fn says(&self) -> String {
        self.sheet.says.weave(|fact, out| self.tell(fact, out)).0
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> String {
        self.sheet.remedy.weave(|fact, out| self.tell(fact, out)).0
    }

    /// What happened, with only those facts that may leave on the wire.
    pub(crate) fn details(&self) -> String {
        self.sheet.details.weave(|fact, out| fact.on_the_wire && self.tell(fact, out)).0
    }

    fn tell(&self, fact: &Fact, out: &mut String) -> bool {
        if let Some(key) = fact.key
            && let Some(value) = self.evidence.find(key)
        {
            match (key, value) {
                // The stations of a way have an order that `a, b and c` would hide.
                (Key::Trace, Value::List(stations)) => out.push_str(&stations.join(" -> ")),
                _ => value.tell(key.unit(), out),
            }
            return true;
        }
        self.tell_other(fact.other, out).is_some()
    }

    fn tell_other(&self, other: Option<Other>, out: &mut String) -> Option<()> {
        match other? {
            Other::NextHop => self.attempt?.next_hop.tell(out),
            Other::Upstream => out.push_str(self.exchange.upstream.as_deref()?),
            Other::Route => out.push_str(self.exchange.route.as_deref()?),
            Other::Attempts => Unit::Plain.tell(self.exchange.attempts_made() as u64, out),
            Other::Waited => Value::from(self.attempt?.took?).tell(Unit::Millis, out),
        }
        Some(())
    }
}

/// Whether a template may use this name.
#[cfg(test)]
pub(crate) fn known(name: &str) -> bool {
    let fact = Fact::of(name);
    fact.key.is_some() || fact.other.is_some()
}

/// The template with these facts; `None` when one that it cannot do without is missing.
pub(crate) fn filled(template: &str, fact: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (text, whole) = woven(template, fact);
    whole.then_some(text)
}

fn woven(template: &str, fact: &dyn Fn(&str) -> Option<String>) -> (String, bool) {
    let template = Template::parse(template, &|name| name);
    template.weave(|name, out| fact(name).map(|text| out.push_str(&text)).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, fact: &dyn Fn(&str) -> Option<String>) -> String {
        woven(template, fact).0
    }

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
