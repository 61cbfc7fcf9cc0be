use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// Any JSON value, with whatever text may come.
#[expect(clippy::cast_precision_loss, reason = "any number will do")]
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        (0..10_u64.pow(16)).prop_map(|thousandths| Json::from(thousandths as f64 / 1e3)),
        (0..100_000_u32).prop_map(|thousandths| Json::from(f64::from(thousandths) / 1e3)),
        any::<i16>().prop_map(|hundredths| Json::from(f64::from(hundredths) / 1e2)),
        prop::sample::select(vec![0.0, -0.0, 1e-7, 5e-4, 1e12, 1e15, 1e16, 1e21])
            .prop_map(Json::from),
        ".{0,40}".prop_map(Json::from),
        "[a \"\\\\\u{0}-\u{9f}\u{2028}\u{202e}\u{feff}]{0,40}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(".{0,9}", inner, 0..4)
                .prop_map(|map: BTreeMap<_, _>| map.into_iter().collect()),
        ]
    })
}

/// The same with what deceives escaped, as it may stand in strings only.
fn harmless(json: &str) -> String {
    json.chars()
        .map(|c| match c {
            '\n' => "\n".to_owned(),
            c if deceives(c) => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

proptest! {
    #[test]
    fn it_is_what_serde_json_writes(value in any_json()) {
        let expected = serde_json::to_string(&value).expect("JSON");
        prop_assert_eq!(compact(&value, 0), harmless(&expected));
        let expected = serde_json::to_string_pretty(&value).expect("JSON");
        prop_assert_eq!(pretty(&value, 0), harmless(&expected));
    }
}

#[test]
fn structures_are_written_as_serde_json_writes_them() {
    #[derive(serde::Serialize)]
    struct Outer {
        small: (i8, u8, i16, u16, i32, u32),
        some: Option<f32>,
        none: Option<f64>,
        empty: [u8; 0],
        unit: (),
    }
    let outer =
        Outer { small: (-1, 2, -3, 4, -5, 6), some: Some(1.5), none: None, empty: [], unit: () };
    assert_eq!(compact(&outer, 0), serde_json::to_string(&outer).expect("JSON"));
    assert_eq!(pretty(&outer, 0), serde_json::to_string_pretty(&outer).expect("JSON"));
    assert_eq!(compact(&json!({ "nan": f64::NAN, "c": 'x' }), 0), r#"{"c":"x","nan":null}"#);
}
