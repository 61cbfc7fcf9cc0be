//! Values of header fields that are secrets by their names, and are not shown.

use serde_json::Value;

/// What the name of such a field holds.
const HINTS: [&str; 8] =
    ["auth", "cookie", "key", "pass", "secret", "signature", "token", "verify"];
/// What is shown instead.
const MASK: &str = "***";

/// Masks them in a route as JSON.
pub(crate) fn mask(route: &mut Value) {
    for place in [
        "/match/headers",
        "/request_headers/set",
        "/request_headers/append",
        "/response_headers/set",
        "/response_headers/append",
    ] {
        let fields = route.pointer_mut(place).and_then(Value::as_object_mut);
        for (name, value) in fields.into_iter().flatten() {
            let name = name.to_ascii_lowercase();
            let secret = HINTS.iter().any(|hint| name.contains(hint));
            match value {
                Value::Object(form) if secret => {
                    form.entry("regex").and_modify(hide);
                }
                value if secret => hide(value),
                _ => {}
            }
        }
    }
}

/// Whether it is set at all may be seen.
fn hide(value: &mut Value) {
    if value.is_string() {
        *value = MASK.into();
    }
}
