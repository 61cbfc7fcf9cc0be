use crate::schema::route::Match;
use crate::{Checked, parse};
use whodunit_filters::units::Span;

fn good(text: &str) -> Checked {
    parse(text, "x.yaml").unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

const ROUTES: &str = "
routes:
  - { upstream: rest }
  - { match: { path: /a }, upstream: any-host }
  - { match: { host: '*.net' }, upstream: wide }
  - { match: { host: '*.x.net' }, upstream: narrow }
  - { match: { host: a.x.net }, upstream: exact }
  - { match: { host: a.x.net, path: /a/ }, upstream: exact }
  - { match: { host: a.x.net, path: /a/b }, upstream: deep, name: exact-2 }
upstreams:
  rest: &some { endpoints: [ '10.0.0.1:80' ] }
  any-host: *some
  wide: *some
  narrow: *some
  exact: *some
  deep: *some
";

#[test]
fn the_narrowest_route_comes_first_whatever_their_order() {
    let routes = good(ROUTES).resolved.routes;
    let names: Vec<_> = routes.iter().map(|way| way.name.as_str()).collect();
    assert_eq!(names, ["exact-2", "exact-3", "exact", "narrow", "wide", "any-host", "rest"]);
}

#[test]
fn paths_come_before_patterns_and_what_asks_for_more_before_what_asks_for_less() {
    let routes = good(
        "
routes:
  - { name: rest, respond: {} }
  - { name: rest-get, match: { path: /, methods: [ GET ] }, respond: {} }
  - { name: z, match: { path_regex: z }, respond: {} }
  - { name: a, match: { path_regex: a }, respond: {} }
  - { name: z-get, match: { path_regex: z, methods: [ GET ] }, respond: {} }
  - { name: short, match: { path: /a }, respond: {} }
  - { name: long, match: { path: /a/ }, respond: {} }
  - { name: long-one, match: { path: /a/, headers: { x: '1' } }, respond: {} }
  - { name: long-two, match: { path: /a/, headers: { x: '1' }, methods: [ GET ] }, respond: {} }
  - { name: exact, match: { path_exact: /a/ }, respond: {} }
",
    );
    let names: Vec<_> = routes.resolved.routes.iter().map(|way| way.name.as_str()).collect();
    let expected =
        ["exact", "long-two", "long-one", "long", "short", "z-get", "z", "a", "rest-get", "rest"];
    assert_eq!(names, expected);
    assert!(routes.resolved.routes.iter().all(|way| way.upstream.is_none()));
    assert_eq!(routes.resolved.routes[0].place, "routes[9]");
}

#[test]
fn a_route_overrides_its_upstream_which_overrides_the_rest() {
    let checked = good(
        "
timeouts: { read: 1s, write: 2s, connect: 3s, response: 9s }
limits: { request_body: 1KiB }
upstreams:
  web:
    endpoints: [ '10.0.0.1:80' ]
    timeouts: { read: 4s, write: 5s }
    limits: { request_body: null }
routes:
  - { upstream: web, timeouts: { read: 6s, response: null } }
",
    );
    let [way] = &checked.resolved.routes[..] else { panic!("one route") };
    let timeouts = &way.timeouts;
    for (set, seconds, place) in [
        (&timeouts.read, 6, "routes[0].timeouts.read"),
        (&timeouts.write, 5, "upstreams.web.timeouts.write"),
        (&timeouts.connect, 3, "timeouts.connect"),
    ] {
        assert_eq!((set.value, &*set.place), (Span::seconds(seconds), place));
    }
    assert_eq!(timeouts.response.value, None);
    assert_eq!(way.limits.request_body.value, None);
    assert_eq!(way.limits.request_body.place, "upstreams.web.limits.request_body");
}

#[test]
fn a_single_upstream_needs_no_route() {
    let checked = good("upstreams: { web: { endpoints: [ '10.0.0.1:80' ] } }");
    let [way] = &checked.resolved.routes[..] else { panic!("one route") };
    assert_eq!((way.name.as_str(), way.upstream.as_deref()), ("web", Some("web")));
    assert_eq!(way.matches, Match::default());
}

#[test]
fn secrets_are_never_shown() {
    let checked = good(
        "
admin: { token: sesame-sesame-sesame }
loop: { secret: sesame-sesame-sesame }
diagnosis: { debug_token: sesame-sesame-sesame }
upstreams: { web: { endpoints: [ '10.0.0.1:80' ] } }
",
    );
    let shown = checked.config.shown().to_string();
    assert_eq!(shown.matches("***").count(), 3, "{shown}");
    assert!(!shown.contains("sesame") && !format!("{checked:?}").contains("sesame"));
}

#[test]
fn fields_that_hold_secrets_are_shown_without_them() {
    let checked = good(
        "
routes:
  - match: { headers: { X-Origin-Verify: sesame, X-Api-Key: { regex: sesame }, X-Kind: open } }
    upstream: web
    request_headers:
      set: { Authorization: Bearer sesame, X-Plain: open }
      append: { Cookie: a=sesame }
    response_headers: { set: { Set-Cookie: a=sesame }, append: { X-Token: sesame } }
upstreams: { web: { endpoints: [ '10.0.0.1:80' ] } }
",
    );
    let shown = checked.config.shown().to_string();
    assert!(!shown.contains("sesame"), "{shown}");
    assert_eq!((shown.matches("***").count(), shown.matches("open").count()), (6, 2), "{shown}");
    assert!(shown.contains("\"present\":null"), "{shown}");
}
