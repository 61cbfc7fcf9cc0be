//! Checks the entries of a map: that each is known, and that those which must be there are.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::readers::reader;
use super::{ENOUGH, Rule, SCHEMA, Walk, below, followed, later, suggest};
use crate::problem::{Place, Problem};
use crate::tree::{Key, Kind, Node};

impl Walk<'_> {
    /// Checks a map; gives what can be used of it.
    pub(super) fn map(
        &mut self,
        entries: &[(Key, Rc<Node>)],
        place: &Place,
        rule: Rule<'_>,
        path: &str,
    ) -> Kind {
        let empty = Map::new();
        let known = rule.schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let others = rule.schema.get("additionalProperties").and_then(Value::as_object);
        let names = rule.schema.get("propertyNames").and_then(Value::as_object);
        let mut checked = Vec::new();
        for (key, value) in entries {
            let at = below(path, &key.text);
            let rule_of = |schema| Rule { schema, name: "" };
            let (text, kind) = if self.problems.len() >= ENOUGH {
                (key.text.as_str(), Kind::Stray)
            } else if !value.is_usable() {
                (key.text.as_str(), value.kind.clone())
            } else if let Some(schema) = known.get(&key.text).and_then(Value::as_object) {
                (key.text.as_str(), self.value(value, rule_of(schema), &at, Some(key)))
            } else if let Some(schema) = others {
                let well_named = self.named(key, names, &at);
                let kind = self.value(value, rule_of(schema), &at, Some(key));
                (key.text.as_str(), if well_named { kind } else { Kind::Stray })
            } else {
                self.unknown(key, rule.name, known, &at)
            };
            let key = Key { place: key.place.clone(), text: text.to_owned() };
            checked.push((key, Rc::new(Node { place: value.place.clone(), kind })));
        }
        let required = rule.schema.get("required").and_then(Value::as_array);
        let mut whole = true;
        for needed in required.into_iter().flatten().filter_map(Value::as_str) {
            let mut found = checked.iter().filter(|(key, _)| key.text == needed).peekable();
            // A slip of the pen in its name was told already.
            if found.peek().is_none() && self.problems.len() < ENOUGH {
                let says = match path {
                    "" => format!("`{needed}` is missing"),
                    _ => format!("`{needed}` is missing in `{path}`"),
                };
                self.problems.push(Problem::error(below(path, needed), place.clone(), says));
            }
            whole &= found.any(|(_, value)| value.is_usable());
        }
        if whole { Kind::Map(checked) } else { Kind::Wrong }
    }

    /// Checks a name that the user chose; gives whether it is well-formed.
    fn named(&mut self, key: &Key, names: Option<&Map<String, Value>>, path: &str) -> bool {
        let Some(schema) = names else { return true };
        let rule = followed(Rule { schema, name: "" });
        if let Some(Err(says)) = reader(rule.name).map(|read| read(&key.text)) {
            self.problems.push(Problem::error(path, key.place.clone(), says));
            return false;
        }
        true
    }

    /// A key that is not in the schema. Gives the key that was meant, where that is plain, and how
    /// much doubt it leaves about the others.
    fn unknown<'k>(
        &mut self,
        key: &'k Key,
        section: &str,
        known: &'k Map<String, Value>,
        path: &str,
    ) -> (&'k str, Kind) {
        let place = key.place.clone();
        if key.text == "<<" {
            let says = "merge keys (`<<`) are not used here".to_owned();
            let help = "write the settings out, or repeat a whole value with `*name`";
            self.problems.push(Problem::error(path, place, says).help(help));
            return (&key.text, Kind::Stray);
        }
        if let Some(says) = later::key(section, &key.text) {
            let help = "remove it; nothing would act on it";
            self.problems.push(Problem::error(path, place, says).help(help));
            return (&key.text, Kind::Wrong);
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
        meant.map_or((key.text.as_str(), Kind::Stray), |meant| (meant, Kind::Wrong))
    }
}
