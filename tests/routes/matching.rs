use super::{both, saying};
use crate::rig::settings::Settings;

#[test]
fn paths_methods_and_fields_choose_the_route() {
    let names = ["exact", "prefix", "pattern", "posts", "new", "beta", "rest"];
    let origins = names.map(saying);
    let settings = origins.iter().zip(names).fold(Settings::bare(), |settings, (origin, name)| {
        settings.upstream(name, &[&origin.endpoint]).knowing(origin)
    });
    let proxy = settings
        .route("upstream: rest")
        .route("match: { path_regex: \"^/u/[0-9]+$\" }, upstream: pattern")
        .route("match: { path: /api/ }, upstream: prefix")
        .route("match: { path_exact: /api/ }, upstream: exact")
        .route("match: { path: /api/, methods: [ POST, PUT ] }, upstream: posts")
        .route("match: { path: /api/, headers: { X-Version: \"2\" } }, upstream: new")
        .route(
            "match: { path: /api/, methods: [ GET ], headers: { X-Beta: { regex: \"^on\" } } }, \
             upstream: beta",
        )
        .h2c()
        .start();
    for (method, path, fields, upstream) in [
        ("GET", "/api/", &[][..], "exact"),
        ("GET", "/api/?x", &[], "exact"),
        ("GET", "/api/x", &[], "prefix"),
        ("PUT", "/api/x", &[], "posts"),
        ("GET", "/api/x", &[("X-Version", "2")], "new"),
        ("GET", "/api/x", &[("X-Version", "3")], "prefix"),
        // Of two that ask for as much, the first.
        ("PUT", "/api/x", &[("X-Version", "2")], "posts"),
        ("GET", "/api/x", &[("X-Version", "2"), ("X-Beta", "on")], "beta"),
        ("GET", "/api/x", &[("X-Beta", "off")], "prefix"),
        ("GET", "/u/7", &[], "pattern"),
        ("GET", "/u/7x", &[], "rest"),
        ("GET", "/", &[], "rest"),
    ] {
        for told in both(&proxy, method, path, fields) {
            assert_eq!(told.answer().text(), upstream, "{method} {path} {fields:?}");
            assert_eq!(told.text("upstream"), upstream, "{method} {path} {fields:?}");
        }
    }
    let [head, _] = both(&proxy, "HEAD", "/api/x", &[("X-Beta", "on")]);
    assert_eq!(head.text("upstream"), "beta", "GET stands for HEAD as well");
}

#[test]
fn a_method_that_no_route_takes_is_told_of() {
    let origin = saying("ok");
    let proxy = Settings::to(&origin)
        .route("match: { path: /api/, methods: [ GET ] }, upstream: web")
        .h2c()
        .start();
    for told in both(&proxy, "DELETE", "/api/x", &[]) {
        assert_eq!((told.status(), told.text("cause")), (404, "no_route"));
        assert_eq!(told.text("evidence.method"), "DELETE");
        assert!(told.text("says").contains("with method DELETE"), "{}", told.text("says"));
    }
    for told in both(&proxy, "DELETE", "/other", &[]) {
        assert_eq!(told.text("cause"), "no_route");
        assert!(told.value("evidence.method").is_null(), "no method would do");
    }
}

/// Which origins may ask what of another is the application's affair: such questions (the Fetch
/// standard's preflight) pass as they came.
#[test]
fn a_preflight_is_the_origins_to_answer() {
    use crate::rig::origin::Origin;
    const ALLOWED: &str = "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n\r\n";
    let origin = Origin::answering(ALLOWED);
    let proxy = Settings::to(&origin).route("match: { path: /api/ }, upstream: web").h2c().start();
    let asks = [("Origin", "https://a.test"), ("Access-Control-Request-Method", "PUT")];
    for told in both(&proxy, "OPTIONS", "/api/x", &asks) {
        assert_eq!(told.status(), 204);
        let allowed = told.answer().fields.text("access-control-allow-origin");
        assert_eq!(allowed.as_deref(), Some("*"));
    }
    for request in origin.requests() {
        assert_eq!(request.method, "OPTIONS");
        assert_eq!(request.fields.text("origin").as_deref(), Some("https://a.test"));
        let method = request.fields.text("access-control-request-method");
        assert_eq!(method.as_deref(), Some("PUT"));
    }
}

#[test]
fn operators_see_all_of_a_route() {
    let proxy = Settings::bare()
        .route("name: old, match: { path_regex: \"^/x\" }, redirect: { to: \"/y{uri}\" }")
        .start();
    let shown: serde_json::Value =
        serde_json::from_slice(&proxy.ask("/api/v1/config").body).expect("JSON");
    let shown = shown.to_string();
    for part in ["\"path_regex\":\"^/x\"", "\"to\":\"/y{uri}\"", "\"status\":302"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}
