//! What a schema asks for, and what a value is, in words.

use serde_json::{Map, Value};

use super::{Rule, words};
use crate::tree::{Kind, Node};

/// The type of a value as JSON Schema calls it.
fn kind(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Null | Kind::Wrong | Kind::Stray => "null",
        Kind::Bool(_) => "boolean",
        Kind::Number(number) if number.is_f64() => "number",
        Kind::Number(_) => "integer",
        Kind::Text(_) => "string",
        Kind::List(_) => "array",
        Kind::Map(_) => "object",
    }
}

/// Whether a schema takes values of this type.
pub(super) fn takes(schema: &Map<String, Value>, node: &Node) -> bool {
    let kind = kind(node);
    let fits = |wanted: &str| wanted == kind || (wanted == "number" && kind == "integer");
    match schema.get("type") {
        Some(Value::String(wanted)) => fits(wanted),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).any(fits),
        _ => !schema.contains_key("const") || kind == "string",
    }
}

/// The least and the greatest number a schema takes.
pub(super) fn bounds(schema: &Map<String, Value>) -> (Option<f64>, Option<f64>) {
    let limit = |name| schema.get(name).and_then(Value::as_f64);
    let most = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => Some(f64::from(u8::MAX)),
        Some("uint16") => Some(f64::from(u16::MAX)),
        Some("uint32") => Some(f64::from(u32::MAX)),
        _ => None,
    };
    (limit("minimum"), limit("maximum").or(most))
}

/// A type in words, with its article.
fn article(kind: &str) -> &'static str {
    match kind {
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        "object" => "a map of settings",
        _ => "null",
    }
}

/// What a value is, in words.
pub(super) fn found(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Bool(true) => "`true`",
        Kind::Bool(false) => "`false`",
        Kind::Number(number) if number.is_f64() => "a fraction",
        _ => article(kind(node)),
    }
}

/// The types a schema names; null is left out, as something that nobody asks for.
fn types(schema: &Map<String, Value>) -> Vec<&str> {
    let types = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    types.into_iter().filter(|kind| *kind != "null").collect()
}

/// Whether one of these rules names this type.
pub(super) fn names(all: &[Rule<'_>], kind: &str) -> bool {
    all.iter().any(|rule| types(rule.schema).contains(&kind))
}

/// What these rules ask for, in words.
pub(super) fn all(all: &[Rule<'_>]) -> String {
    let wanted: Vec<_> = all.iter().map(|rule| one(*rule)).filter(|one| !one.is_empty()).collect();
    wanted.join(" or ")
}

fn one(rule: Rule<'_>) -> String {
    if let Some(words) = words(rule) {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
    }
    match rule.name {
        "Duration" => "a duration such as `5s`".to_owned(),
        "Size" => "a size such as `32KiB`".to_owned(),
        _ => types(rule.schema).into_iter().map(article).collect::<Vec<_>>().join(" or "),
    }
}
