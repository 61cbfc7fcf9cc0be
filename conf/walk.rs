//! Checks a tree against the JSON Schema: collects everything that does not fit, each with its
//! place, and gives what does. It knows of JSON Schema what the settings structs make use of; a test holds it to that.

mod entries;
mod expect;
mod later;
mod readers;
pub(crate) mod suggest;

use std::rc::Rc;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::problem::{Place, Problem};
use crate::tree::{Key, Kind, Node};
use expect::{bounds, takes};
use readers::reader;

static SCHEMA: LazyLock<Value> = LazyLock::new(crate::schema::schema);

/// A schema, and the name it is defined under, if any.
#[derive(Clone, Copy)]
struct Rule<'s> {
    schema: &'s Map<String, Value>,
    name: &'s str,
}

/// Nobody mends more than this many problems at a time.
const ENOUGH: usize = 1000;

/// Adds everything in a tree that does not fit the schema to the problems, and gives the tree with
/// that marked as unusable: what is wrong by itself, and what is of no use without it.
pub(crate) fn check(root: &Node, text: &str, problems: &mut Vec<Problem>) -> Node {
    let mut walk = Walk { text, problems: std::mem::take(problems) };
    let schema = SCHEMA.as_object().expect("a struct's schema is an object");
    let kind = walk.value(root, Rule { schema, name: "Config" }, "", None);
    *problems = walk.problems;
    Node { place: root.place.clone(), kind }
}

struct Walk<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

/// A setting's path: `upstreams.web.endpoints[0]`.
fn below(path: &str, key: &str) -> String {
    let key = key.escape_debug();
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

/// A rule with its references followed.
fn followed(mut rule: Rule<'_>) -> Rule<'_> {
    while let Some(target) = rule.schema.get("$ref").and_then(Value::as_str) {
        let name = target.rsplit('/').next().unwrap_or_default();
        let schema = SCHEMA["$defs"][name].as_object().expect("references lead somewhere");
        rule = Rule {
            schema,
            name: SCHEMA["$defs"]
                .as_object()
                .map_or("", |defs| defs.get_key_value(name).map_or("", |(name, _)| name.as_str())),
        };
    }
    rule
}

/// The rules of which one must hold; the rule itself where it has no alternatives.
fn branches(rule: Rule<'_>) -> Vec<Rule<'_>> {
    let rule = followed(rule);
    let several = rule.schema.get("anyOf").or_else(|| rule.schema.get("oneOf"));
    let Some(several) = several.and_then(Value::as_array) else { return vec![rule] };
    let objects = several.iter().filter_map(Value::as_object);
    objects.flat_map(|schema| branches(Rule { schema, name: "" })).collect()
}

impl Walk<'_> {
    /// The text of a value as it was written.
    fn written(&self, node: &Node) -> &str {
        self.text.get(node.place.clone()).unwrap_or_default().trim()
    }

    /// Checks a value; gives what can be used of it.
    fn value(&mut self, node: &Node, rule: Rule<'_>, path: &str, key: Option<&Key>) -> Kind {
        if self.problems.len() >= ENOUGH {
            return Kind::Stray;
        }
        if !node.is_usable() {
            return node.kind.clone();
        }
        let before = self.problems.len();
        let all = branches(rule);
        let fitting: Vec<_> = all.iter().filter(|rule| takes(rule.schema, node)).copied().collect();
        match fitting[..] {
            [] => self.mismatch(node, &all, path, key),
            [one] => return self.one(node, one, path, key),
            _ if fitting.iter().all(|rule| words(*rule).is_some()) => {
                self.word(node, fitting.iter().filter_map(|rule| words(*rule)).flatten(), path);
            }
            _ => {
                let attempt = |rule: &Rule<'_>| {
                    let mut walk = Walk { text: self.text, problems: Vec::new() };
                    let kind = walk.one(node, *rule, path, key);
                    (walk.problems, kind)
                };
                let attempts = fitting.iter().map(attempt);
                let best = attempts.min_by_key(|(problems, _)| problems.len());
                let (problems, kind) = best.expect("several fit");
                self.problems.extend(problems);
                return kind;
            }
        }
        if self.problems.len() == before { node.kind.clone() } else { Kind::Wrong }
    }

    /// The value is of none of the types that it may have.
    fn mismatch(&mut self, node: &Node, all: &[Rule<'_>], path: &str, key: Option<&Key>) {
        let place = match (&node.kind, key) {
            (Kind::Null | Kind::List(_) | Kind::Map(_), Some(key)) => key.place.clone(),
            _ => node.place.clone(),
        };
        let name = if path.is_empty() { "the configuration" } else { path };
        let wanted = expect::all(all);
        if matches!(node.kind, Kind::Null) && node.place.is_empty() {
            let says = format!("`{name}` has no value");
            let help = format!("give it {wanted}, or remove the key");
            self.problems.push(Problem::error(path, place, says).help(help));
            return;
        }
        let written = self.written(node);
        let scalar = matches!(node.kind, Kind::Bool(_) | Kind::Number(_));
        let read = scalar.then(|| all.iter().find_map(|rule| reader(rule.name))).flatten();
        let refused = read.and_then(|read| read(written).err());
        let help = suggest::value(node, written, all, refused.is_some());
        let says = refused
            .unwrap_or_else(|| format!("`{name}` must be {wanted}, not {}", expect::found(node)));
        self.problems.push(Problem { help, ..Problem::error(path, place, says) });
    }

    /// Checks a value against a rule without alternatives, of whose type it is; gives what can be
    /// used of it.
    fn one(&mut self, node: &Node, rule: Rule<'_>, path: &str, key: Option<&Key>) -> Kind {
        let before = self.problems.len();
        match &node.kind {
            _ if words(rule).is_some() => {
                self.word(node, words(rule).into_iter().flatten(), path);
            }
            Kind::Null | Kind::Bool(_) | Kind::Wrong | Kind::Stray => {}
            Kind::Number(number) => self.number(number, &node.place, rule, path),
            Kind::Text(text) => self.text(text, node, rule, path),
            Kind::List(items) => return self.list(items, node, rule, path),
            Kind::Map(entries) => {
                let place = key.map_or(&node.place, |key| &key.place);
                return self.map(entries, place, rule, path);
            }
        }
        if self.problems.len() == before { node.kind.clone() } else { Kind::Wrong }
    }

    fn list(
        &mut self,
        items: &[(usize, Rc<Node>)],
        node: &Node,
        rule: Rule<'_>,
        path: &str,
    ) -> Kind {
        let least = rule.schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            let says = format!("`{path}` must not be empty");
            self.problems.push(Problem::error(path, node.place.clone(), says));
            return Kind::Wrong;
        }
        let Some(schema) = rule.schema.get("items").and_then(Value::as_object) else {
            return node.kind.clone();
        };
        let checked = items.iter().map(|(number, item)| {
            let at = format!("{path}[{number}]");
            let kind = self.value(item, Rule { schema, name: "" }, &at, None);
            (*number, Rc::new(Node { place: item.place.clone(), kind }))
        });
        let (usable, wrong): (Vec<_>, Vec<_>) = checked.partition(|(_, item)| item.is_usable());
        Kind::List([usable, wrong].concat())
    }

    fn number(&mut self, number: &serde_json::Number, place: &Place, rule: Rule<'_>, path: &str) {
        let (least, most) = bounds(rule.schema);
        let value = number.as_f64().unwrap_or(f64::NAN);
        if least.is_some_and(|least| value < least) || most.is_some_and(|most| value > most) {
            let says = match (least, most) {
                (Some(least), Some(most)) => format!("`{path}` must be from {least} to {most}"),
                (Some(least), None) => format!("`{path}` must be at least {least}"),
                _ => format!("`{path}` must be at most {}", most.unwrap_or_default()),
            };
            self.problems.push(Problem::error(path, place.clone(), says));
        }
    }

    fn text(&mut self, text: &str, node: &Node, rule: Rule<'_>, path: &str) {
        if let Some(Err(says)) = reader(rule.name).map(|read| read(text)) {
            self.problems.push(Problem::error(path, node.place.clone(), says));
        }
    }

    fn word<'w>(&mut self, node: &Node, words: impl Iterator<Item = &'w str>, path: &str) {
        let Kind::Text(text) = &node.kind else { return };
        let words: Vec<_> = words.collect();
        if words.contains(&text.as_str()) {
            return;
        }
        let place = node.place.clone();
        let says = format!("`{}` is not a value of `{path}`", text.escape_debug());
        let help = suggest::instead(text, &words);
        self.problems.push(Problem::error(path, place, says).help(help));
    }
}

/// The words a text may be, where they are a closed set.
fn words(rule: Rule<'_>) -> Option<Vec<&str>> {
    if let Some(word) = rule.schema.get("const").and_then(Value::as_str) {
        return Some(vec![word]);
    }
    let words = rule.schema.get("enum").and_then(Value::as_array)?;
    Some(words.iter().filter_map(Value::as_str).collect())
}

#[cfg(test)]
mod tests;
