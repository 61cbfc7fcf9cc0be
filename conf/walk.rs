//! Checks a tree against the JSON Schema and collects everything that does not fit, each with its
//! place. It knows of JSON Schema what the settings structs make use of; a test holds it to that.

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

/// Everything in a tree that does not fit the schema.
pub(crate) fn check(root: &Node, text: &str) -> Vec<Problem> {
    let mut walk = Walk { text, problems: Vec::new() };
    let schema = SCHEMA.as_object().expect("a struct's schema is an object");
    walk.value(root, Rule { schema, name: "Config" }, "", None);
    walk.problems
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

    fn value(&mut self, node: &Node, rule: Rule<'_>, path: &str, key: Option<&Key>) {
        if self.problems.len() >= ENOUGH {
            return;
        }
        let all = branches(rule);
        let fitting: Vec<_> = all.iter().filter(|rule| takes(rule.schema, node)).copied().collect();
        match fitting[..] {
            [] => self.mismatch(node, &all, path, key),
            [one] => self.one(node, one, path, key),
            _ if fitting.iter().all(|rule| words(*rule).is_some()) => {
                self.word(node, fitting.iter().filter_map(|rule| words(*rule)).flatten(), path);
            }
            _ => {
                let attempt = |rule: &Rule<'_>| {
                    let mut walk = Walk { text: self.text, problems: Vec::new() };
                    walk.one(node, *rule, path, key);
                    walk.problems
                };
                let best = fitting.iter().map(attempt).min_by_key(Vec::len).unwrap_or_default();
                self.problems.extend(best);
            }
        }
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

    /// Checks a value against a rule without alternatives, of whose type it is.
    fn one(&mut self, node: &Node, rule: Rule<'_>, path: &str, key: Option<&Key>) {
        if let Some(words) = words(rule) {
            self.word(node, words.into_iter(), path);
            return;
        }
        match &node.kind {
            Kind::Null | Kind::Bool(_) => {}
            Kind::Number(number) => self.number(number, &node.place, rule, path),
            Kind::Text(text) => self.text(text, node, rule, path),
            Kind::List(items) => {
                let least = rule.schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
                if (items.len() as u64) < least {
                    let says = format!("`{path}` must not be empty");
                    self.problems.push(Problem::error(path, node.place.clone(), says));
                }
                let Some(schema) = rule.schema.get("items").and_then(Value::as_object) else {
                    return;
                };
                for (index, item) in items.iter().enumerate() {
                    self.value(item, Rule { schema, name: "" }, &format!("{path}[{index}]"), None);
                }
            }
            Kind::Map(entries) => {
                let place = key.map_or(&node.place, |key| &key.place);
                self.map(entries, place, rule, path);
            }
        }
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
        if let Some(says) = later::word(path, text) {
            let known = suggest::listed(&words);
            self.problems.push(Problem::error(path, place, says).help(format!("use {known}")));
            return;
        }
        let says = format!("`{}` is not a value of `{path}`", text.escape_debug());
        let help = suggest::instead(text, &words);
        self.problems.push(Problem::error(path, place, says).help(help));
    }

    fn map(&mut self, entries: &[(Key, Rc<Node>)], place: &Place, rule: Rule<'_>, path: &str) {
        let empty = Map::new();
        let known = rule.schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let others = rule.schema.get("additionalProperties").and_then(Value::as_object);
        let names = rule.schema.get("propertyNames").and_then(Value::as_object);
        let mut meant = Vec::new();
        for (key, value) in entries {
            if self.problems.len() >= ENOUGH {
                return;
            }
            let at = below(path, &key.text);
            if let Some(schema) = known.get(&key.text).and_then(Value::as_object) {
                self.value(value, Rule { schema, name: "" }, &at, Some(key));
            } else if let Some(schema) = others {
                self.named(key, names, &at);
                self.value(value, Rule { schema, name: "" }, &at, Some(key));
            } else {
                meant.extend(self.unknown(key, rule.name, known, &at));
            }
        }
        let required = rule.schema.get("required").and_then(Value::as_array);
        for missing in required.into_iter().flatten().filter_map(Value::as_str) {
            // A slip of the pen in its name was told already.
            let told = meant.contains(&missing);
            if !told && !entries.iter().any(|(key, _)| key.text == missing) {
                let says = match path {
                    "" => format!("`{missing}` is missing"),
                    _ => format!("`{missing}` is missing in `{path}`"),
                };
                self.problems.push(Problem::error(below(path, missing), place.clone(), says));
            }
        }
    }

    /// Checks a name that the user chose.
    fn named(&mut self, key: &Key, names: Option<&Map<String, Value>>, path: &str) {
        let Some(schema) = names else { return };
        let rule = followed(Rule { schema, name: "" });
        if let Some(Err(says)) = reader(rule.name).map(|read| read(&key.text)) {
            self.problems.push(Problem::error(path, key.place.clone(), says));
        }
    }

    /// A key that is not in the schema. Gives the key that was meant, where that is plain.
    fn unknown<'k>(
        &mut self,
        key: &Key,
        section: &str,
        known: &'k Map<String, Value>,
        path: &str,
    ) -> Option<&'k str> {
        let place = key.place.clone();
        if key.text == "<<" {
            let says = "merge keys (`<<`) are not used here".to_owned();
            let help = "write the settings out, or repeat a whole value with `*name`";
            self.problems.push(Problem::error(path, place, says).help(help));
            return None;
        }
        if let Some(says) = later::key(section, &key.text) {
            let help = "remove it; nothing would act on it";
            self.problems.push(Problem::error(path, place, says).help(help));
            return None;
        }
        let known: Vec<_> = known.keys().map(String::as_str).collect();
        let meant = suggest::close(&key.text, &known);
        let help = meant.map_or_else(
            || {
                let homes = suggest::homes(&key.text, &SCHEMA);
                if homes.is_empty() {
                    format!("the settings here are {}", suggest::listed(&known))
                } else {
                    format!("it belongs under {homes}")
                }
            },
            |meant| format!("did you mean `{meant}`?"),
        );
        let says = format!("`{}` is not a setting", key.text.escape_debug());
        self.problems.push(Problem::error(path, place, says).help(help));
        meant
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
