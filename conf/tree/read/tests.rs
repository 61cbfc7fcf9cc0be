use super::*;
use serde_json::json;

fn good(text: &str) -> Node {
    let (node, problems) = read(text);
    assert!(problems.is_empty(), "{problems:?}");
    node.expect("a tree")
}

fn bad(text: &str) -> String {
    let (_, problems) = read(text);
    problems.first().expect("a problem").message.clone()
}

#[test]
fn scalars_follow_the_core_schema() {
    let text =
        "[1, -2, 0x1F, 0o17, 1.5, ~, true, yes, 'true', 1.2.3.4, 10:80, .inf, inf, nan, 1e3, +7]";
    assert_eq!(
        good(text).json(),
        json!([
            1, -2, 31, 15, 1.5, null, true, "yes", "true", "1.2.3.4", "10:80", ".inf", "inf",
            "nan", 1000.0, 7
        ])
    );
    assert_eq!(good("").json(), json!({}));
    assert_eq!(good("# nothing\n").json(), json!({}));
}

#[test]
fn places_are_bytes_even_behind_wide_characters() {
    let text = "ä: ö\nb:\n  c: [x, {d: yü}]\n";
    let node = good(text);
    let path = ["b".into(), "c".into(), 1.into(), "d".into()];
    assert_eq!(&text[node.value(&path)], "yü");
    assert_eq!(&text[node.key(&path)], "d");
    assert_eq!(&text[node.value(&["b".into(), "absent".into()])], "b");
    assert!(node.holds(&path) && !node.holds(&["b".into(), 3.into()]));
}

#[test]
fn an_alias_repeats_what_its_anchor_names() {
    assert_eq!(good("a: &x {b: 1}\nc: *x\n").json(), json!({"a": {"b": 1}, "c": {"b": 1}}));
    assert!(bad("a: &x [*x]").contains("inside of what it stands for"));
}

#[test]
fn bombs_are_refused_before_they_unfold() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let again = vec![format!("*a{}", level - 1); 10].join(", ");
        text.extend([format!("a{level}: &a{level} [{again}]\n")]);
    }
    assert!(bad(&text).contains("more than 100000 values"));
    assert!(bad(&"[".repeat(100)).contains("more than 32"));
    assert!(bad(&"a".repeat(BYTES + 1)).contains("more than 4 MiB"));
}

#[test]
fn doubles_tags_and_second_documents_are_refused() {
    assert_eq!(bad("a: 1\na: 2\n"), "`a` is set twice");
    assert_eq!(bad("a: !!str 1\n"), "tags are not used here");
    assert_eq!(bad("a: 1\n---\nb: 2\n"), "a second document begins here");
    assert_eq!(bad("? [a]\n: 1\n"), "a key must be a name");
    assert!(bad("a: [1\n").starts_with("this is not YAML"));
}
