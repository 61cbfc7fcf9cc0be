//! What was probably meant.

use serde_json::Value;

use super::Rule;
use super::expect::names;
use crate::tree::{Kind, Node};

/// The known word nearest to one that is not known, if it is near enough to be a slip.
pub(crate) fn close<'w>(wrong: &str, known: &[&'w str]) -> Option<&'w str> {
    let plain = |word: &str| word.to_ascii_lowercase().replace(['-', ' '], "_");
    let wrong = plain(wrong.get(..64).unwrap_or(wrong));
    let far = |word: &&str| strsim::osa_distance(&wrong, &plain(word));
    let nearest = known.iter().copied().min_by_key(far)?;
    let bearable = ((wrong.chars().count().max(nearest.len()) + 1) / 4).max(1);
    (far(&nearest) <= bearable).then_some(nearest)
}

/// A few words as a list for people.
pub(crate) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// What to write instead of a word that is not one of these.
pub(crate) fn instead(wrong: &str, known: &[&str]) -> String {
    match close(wrong, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of {}", listed(known)),
    }
}

/// What to write instead of a value of the wrong type. `refused`: not even as text would it do.
pub(super) fn value(node: &Node, written: &str, all: &[Rule<'_>], refused: bool) -> Option<String> {
    let named = |name: &str| all.iter().any(|rule| rule.name == name);
    let settings = all.iter().find_map(|rule| rule.schema.get("properties")?.as_object());
    match &node.kind {
        Kind::Number(_) if named("Duration") => Some(format!("did you mean `{written}s`?")),
        Kind::Bool(_) | Kind::Number(_) if refused => None,
        Kind::Bool(_) | Kind::Number(_) if named("Secret") => Some("write it in quotes".into()),
        Kind::Bool(_) | Kind::Number(_) if names(all, "string") => {
            Some(format!("write it in quotes: `\"{written}\"`"))
        }
        Kind::Text(text) if names(all, "boolean") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some("did you mean `true`?".into()),
            "no" | "off" | "n" | "false" => Some("did you mean `false`?".into()),
            _ => None,
        },
        Kind::List(_) if written.contains(':') && names(all, "string") => {
            Some("an address in brackets must be in quotes: `\"[::1]:8080\"`".into())
        }
        Kind::Text(_) | Kind::Map(_) if names(all, "array") => {
            Some("write a list: each item on a line of its own after `- `, or `[a, b]`".into())
        }
        _ => {
            let settings: Vec<_> = settings?.keys().map(String::as_str).collect();
            Some(format!("its settings are {}", listed(&settings)))
        }
    }
}

/// Where in the whole schema a key of this name is at home, as a list for people.
pub(super) fn homes(key: &str, schema: &Value) -> String {
    let mut found = Vec::new();
    search(key, schema, schema, "", 0, &mut found);
    found.sort();
    found.dedup();
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    listed(&found)
}

fn search(
    key: &str,
    rule: &Value,
    root: &Value,
    path: &str,
    depth: usize,
    found: &mut Vec<String>,
) {
    if depth > 12 {
        return;
    }
    let mut down = |rule: &Value, path: &str| search(key, rule, root, path, depth + 1, found);
    if let Some(name) = rule["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
        down(&root["$defs"][name], path);
    }
    for several in ["anyOf", "oneOf"] {
        for branch in rule[several].as_array().into_iter().flatten() {
            down(branch, path);
        }
    }
    if rule["items"].is_object() {
        down(&rule["items"], &format!("{path}[]"));
    }
    if rule["additionalProperties"].is_object() {
        down(&rule["additionalProperties"], &format!("{path}.NAME"));
    }
    let Some(properties) = rule["properties"].as_object() else { return };
    for (name, schema) in properties {
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        down(schema, &at);
    }
    if properties.contains_key(key) {
        found.push(if path.is_empty() { "the top level".to_owned() } else { path.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_seen_and_strangers_are_not() {
        let known = ["timeouts", "limits", "listeners", "log"];
        assert_eq!(close("timeout", &known), Some("timeouts"));
        assert_eq!(close("Listners", &known), Some("listeners"));
        assert_eq!(close("lgo", &known), Some("log"));
        assert_eq!(close("certificates", &known), None);
        assert_eq!(close("x", &[]), None);
    }

    #[test]
    fn a_key_in_the_wrong_place_is_sent_home() {
        let schema = crate::schema::schema();
        assert_eq!(homes("sni", &schema), "`upstreams.NAME.tls`");
        assert_eq!(homes("routes", &schema), "`the top level`");
        assert_eq!(homes("nothing", &schema), "");
    }
}
