use super::*;
use crate::tree;

/// What the walk knows of JSON Schema, and what it may pass over since it forbids nothing.
const KNOWN: &[&str] = &[
    "$ref",
    "anyOf",
    "oneOf",
    "const",
    "enum",
    "type",
    "format",
    "minimum",
    "maximum",
    "items",
    "minItems",
    "properties",
    "additionalProperties",
    "propertyNames",
    "required",
];
const HARMLESS: &[&str] = &["$schema", "$defs", "title", "description", "default"];

fn rules<'s>(schema: &'s Value, found: &mut Vec<&'s Map<String, Value>>) {
    let Some(rule) = schema.as_object() else { return };
    found.push(rule);
    for several in ["properties", "$defs"] {
        for inner in rule.get(several).and_then(Value::as_object).into_iter().flat_map(Map::values)
        {
            rules(inner, found);
        }
    }
    for several in ["anyOf", "oneOf"] {
        for inner in rule.get(several).and_then(Value::as_array).into_iter().flatten() {
            rules(inner, found);
        }
    }
    for one in ["items", "additionalProperties", "propertyNames"] {
        rules(rule.get(one).unwrap_or(&Value::Null), found);
    }
}

#[test]
fn the_schema_says_nothing_that_the_walk_passes_over() {
    let mut all = Vec::new();
    rules(&SCHEMA, &mut all);
    assert!(all.len() > 100);
    for rule in all {
        for key in rule.keys().map(String::as_str) {
            let read = KNOWN.contains(&key) || HARMLESS.contains(&key);
            // These two are left to what reads the text.
            assert!(read || key == "pattern" || key == "minLength", "`{key}` of {rule:?}");
        }
        if rule.contains_key("properties") {
            assert_eq!(rule.get("additionalProperties"), Some(&Value::Bool(false)), "{rule:?}");
        }
    }
}

#[test]
fn every_text_with_a_form_has_its_reader() {
    let defs = SCHEMA["$defs"].as_object().expect("there are definitions");
    for (name, rule) in defs {
        let formed = rule.get("pattern").is_some() || rule.get("minLength").is_some();
        assert!(!formed || reader(name).is_some(), "no reader for `{name}`");
    }
    for (name, _) in readers::READERS {
        assert!(defs.contains_key(*name), "nothing is called `{name}` any more");
    }
    let mut all = Vec::new();
    rules(&SCHEMA, &mut all);
    let formed =
        all.iter().filter(|rule| rule.contains_key("pattern") || rule.contains_key("minLength"));
    assert_eq!(
        formed.count(),
        defs.values()
            .filter(|rule| { rule.get("pattern").is_some() || rule.get("minLength").is_some() })
            .count(),
        "a form outside of a definition has no reader"
    );
}

#[test]
fn what_is_to_come_is_not_there_yet() {
    for (section, key) in later::KEYS {
        let rule = if *section == "Config" { &*SCHEMA } else { &SCHEMA["$defs"][section] };
        assert!(rule["properties"].is_object(), "`{section}` is a section");
        assert!(rule["properties"][key].is_null(), "`{key}` is supported by now");
    }
}

#[test]
fn problems_are_bounded() {
    let text: String = (0..5000)
        .flat_map(|number| ["k".to_owned(), number.to_string(), ": 1\n".to_owned()])
        .collect();
    let (root, mut problems) = tree::read(&text);
    check(&root.expect("a tree"), &text, &mut problems);
    assert!(problems.len() <= ENOUGH, "{}", problems.len());
}
