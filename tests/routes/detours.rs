//! Paths that are spelt so that a rule may not see where they lead.

use super::{OK, both, last, saying};
use crate::rig::h2client::{Http2, request};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

/// Ways to `/admin/x` that all readers take.
const SPELLINGS: [&str; 10] = [
    "/admin/x",
    "/%61dmin/x",
    "/%61%64%6d%69%6E/x?/../../",
    "//admin/x",
    "////admin//x",
    "/./admin/x",
    "/%2e/admin/x",
    "/.//%2E/./admin/x",
    "/admin/./x",
    "/admin/%78",
];

/// Ways that some take and others do not.
const DETOURS: [&str; 27] = [
    "/x/../admin/x",
    "/x/%2e%2e/admin/x",
    "/x/.%2E/admin/x",
    "/x//../admin/x",
    "/x/y/../../admin/x",
    "/admin/../x",
    "/admin/%2e%2e/x",
    "/a//../admin/x",
    "/x%2F..%2Fadmin%2Fx",
    "/x%2f%2e%2e%2fadmin/x",
    "/%2Fadmin/x",
    "/admin%2Fx",
    "/.%2Fadmin/x",
    "/\\admin/x",
    "/admin\\x",
    "/x\\..\\admin\\x",
    "/%5Cadmin/x",
    "/admin%5cx",
    "/x/..;/admin/x",
    "/x/..;v=1/admin/x",
    "/admin;v=1/x",
    "/admin%3bv=1/x",
    "/;/admin/x",
    "/.;/admin/x",
    "/admin/..%2Fx",
    // To each of these one reader is enough.
    "/admin%2Fx\\..\\..",
    "/admin\\x%5C..%5C..",
];

/// Ways that lead out of everything, to some.
const ABOVE: [&str; 8] = [
    "/..",
    "/../admin/x",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/a/../../b",
    "//../b",
    "/..%2Fb",
    "/..\\b",
    "/..;/b",
];

fn refused(told: &Told, path: &str, rule: &str) {
    let facts = (told.status(), told.text("cause"), told.text("evidence.rule"));
    assert_eq!(facts, (400, "client_request_ambiguous", rule), "{path} {:#}", told.record);
    assert_eq!((told.text("party"), told.text("phase")), ("client", "request"), "{path}");
}

#[test]
fn nobody_walks_around_a_rule() {
    let origin = Origin::answering(OK);
    for (rule, cause) in [
        ("access: { deny: [ all ] }", "denied_by_policy"),
        ("maintenance: true", "maintenance"),
        ("rate: { requests: 1, per: 1h, by: route }", "rate_limited"),
    ] {
        let matching = [
            "match: { path: /admin/ }",
            "match: { path_exact: /admin/x }",
            "match: { path_regex: \"^/admin/(x|y)$\" }",
        ];
        for matching in matching {
            let proxy = Settings::to(&origin)
                .route(&format!("name: admin, {matching}, upstream: web, {rule}"))
                .route("name: open, upstream: web")
                .h2c()
                .start();
            if cause == "rate_limited" {
                assert_eq!(proxy.get("/admin/x").status(), 200, "one is let in");
            }
            let before = origin.requests().len();
            for path in SPELLINGS {
                for told in both(&proxy, "GET", path, &[]) {
                    assert_eq!(told.text("cause"), cause, "{matching} {path}");
                }
            }
            // What leads out of a folder leads to nothing that stands in it.
            let whole = matching.contains("path:");
            let out = |path: &str| {
                path.starts_with("/admin") && path.contains("..") || path.contains("/%2e%2e/x")
            };
            for path in DETOURS.into_iter().filter(|path| whole || !out(path)) {
                for told in both(&proxy, "GET", path, &[]) {
                    refused(&told, path, "path that leads to different routes, by who reads it");
                }
            }
            assert_eq!(origin.requests().len(), before, "nothing came through");
        }
    }
}

#[test]
fn what_two_readers_take_for_two_routes_is_refused() {
    let [closed, open] = ["closed", "open"].map(saying);
    let proxy = Settings::bare()
        .upstream("closed", &[&closed.endpoint])
        .knowing(&closed)
        .upstream("open", &[&open.endpoint])
        .knowing(&open)
        .route("match: { path: /admin/ }, upstream: closed")
        .route("upstream: open")
        .h2c()
        .start();
    for path in SPELLINGS {
        for told in both(&proxy, "GET", path, &[]) {
            assert_eq!(told.answer().text(), "closed", "{path}");
        }
        for seen in last(closed.requests()) {
            assert_eq!(seen.target, path, "it goes on as it came");
        }
    }
    for path in DETOURS {
        for told in both(&proxy, "GET", path, &[]) {
            refused(&told, path, "path that leads to different routes, by who reads it");
        }
    }
    for path in ABOVE {
        for told in both(&proxy, "GET", path, &[]) {
            refused(&told, path, "path that leads above the root");
        }
    }
    assert!(open.requests().is_empty());
    // Odd, and the same to everybody.
    for path in ["/a/../b", "/a%2Fb;c=d/e", "/a\\b", "/100%", "/..a/...", "/adm%2569n/", "/ADMIN/x"]
    {
        for told in both(&proxy, "GET", path, &[]) {
            assert_eq!(told.answer().text(), "open", "{path}");
        }
        for seen in last(open.requests()) {
            assert_eq!(seen.target, path, "it goes on as it came");
        }
    }
    for path in ["/admin/a%2Fb", "/admin/a;b=c/d", "/admin/a/../b%5C", "/admin/y/../x"] {
        for told in both(&proxy, "GET", path, &[]) {
            assert_eq!(told.answer().text(), "closed", "{path}");
        }
    }
}

/// A route that rewrites takes what some reader would lead out of the new prefix to no origin.
#[test]
fn no_rewritten_path_leads_out_of_its_prefix() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin)
        .route("match: { path: /api/ }, rewrite: { prefix: /v2/ }, upstream: web")
        .route("match: { path_regex: \"^/u/.\" }, rewrite: { regex: \"^/u\", to: /users }, upstream: web")
        .route("rewrite: { prefix: /rest/ }, upstream: web")
        .h2c()
        .start();
    for path in ["/api/..%2Fapi/x", "/api/x\\..\\y", "/api/x/..;/y", "/u/a%2F..%5Cb", "/a/..%2Fb"] {
        for told in both(&proxy, "GET", path, &[]) {
            refused(&told, path, "path that leads to different routes, by who reads it");
        }
    }
    assert!(origin.requests().is_empty());
    for (path, target) in [
        ("/a/../b", "/rest/b"),
        ("/a/../b/../c/", "/rest/c/"),
        ("/a%2Fb", "/rest/a%2Fb"),
        ("/api/x/../y", "/v2/y"),
    ] {
        for told in both(&proxy, "GET", path, &[]) {
            assert_eq!(told.status(), 200, "{path} {:#}", told.record);
        }
        for seen in last(origin.requests()) {
            assert_eq!(seen.target, target, "{path}");
        }
    }
}

/// The exceptions of a listener that sends its clients to HTTPS are no way in.
#[test]
fn what_is_served_without_tls_is_so_to_everybody() {
    let origin = Origin::answering(OK);
    let settings = Settings::to(&origin).listening("redirect: { except: [ /ok/ ] }").h2c();
    let proxy = settings.start();
    let location = |told: &Told| told.answer().fields.text("location");
    for path in ["/ok/x", "//ok/x", "/%6fk/./x", "/ok/a/../b"] {
        for told in both(&proxy, "GET", path, &[]) {
            assert_eq!(told.status(), 200, "{path}");
        }
    }
    for path in ["/ok/../x", "/ok/%2e%2e/x", "/ok%2Fx", "/ok/..%2Fx", "//evil.test", "/\\evil.test"]
    {
        for told in both(&proxy, "GET", path, &[]) {
            assert_eq!(told.status(), 308, "{path}");
            // The host stands before it, and no spelling is changed.
            assert_eq!(location(&told), Some(format!("https://app.test{path}")));
        }
    }
    let client = Http2::connect(proxy.address());
    let odd = request("GET", "/").uri("http://app.test//evil.test/..").body(()).expect("good");
    let told = proxy.exchange(|| client.ask(odd));
    assert_eq!(location(&told).as_deref(), Some("https://app.test//evil.test/.."));
}
