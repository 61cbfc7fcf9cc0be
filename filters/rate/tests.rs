use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::fixture::Scene;

fn rate(json: &str) -> Rate {
    serde_json::from_str(json).expect("a rate")
}

fn rates(json: &[&str]) -> Rates {
    let all: Vec<_> = json.iter().map(|json| rate(json)).collect();
    let tables = Registry::default().of("web", &all);
    let meters = all.into_iter().zip(tables).enumerate().map(|(at, (rate, table))| Meter {
        rate,
        place: format!("routes[0].rate[{at}]").into(),
        table,
    });
    Rates(meters.collect())
}

/// A scene with these rates, and the moment at which its clock stands.
fn scene(json: &[&str]) -> (Scene, Instant) {
    let mut scene = Scene::with(&[]);
    scene.rules.rates = rates(json);
    scene.arrived = Instant::now();
    let start = scene.arrived;
    (scene, start)
}

fn ask(scene: &Scene) -> Option<Box<Failure>> {
    Throttle::new("edge").request(&scene.request(), &scene.route()).denied()
}

#[test]
fn a_refusal_says_what_was_broken_and_when_to_come_again() {
    let (mut scene, start) = scene(&[r#"{"requests":2,"per":"1s","burst":3}"#]);
    for _ in 0..3 {
        assert!(ask(&scene).is_none());
    }
    let failure = ask(&scene).expect("three are all");
    let number = |key| failure.evidence.number(key);
    assert_eq!((number(Key::MaxCount), number(Key::LimitMs)), (Some(2), Some(1_000)));
    assert_eq!(number(Key::RetryAfterMs), Some(500));
    assert_eq!(failure.evidence.text(Key::CountedBy), Some("client"));
    assert_eq!(failure.evidence.text(Key::Setting), Some("routes[0].rate[0]"));
    scene.arrived = start + Duration::from_nanos(499_999_999);
    assert!(ask(&scene).is_some());
    scene.arrived = start + Duration::from_millis(500);
    assert!(ask(&scene).is_none());
    assert!(ask(&scene).is_some());
}

#[test]
fn whoever_waits_as_long_as_is_said_is_let_through() {
    for (requests, per) in [(3, "1s"), (7, "1m"), (1_000, "1s"), (11, "10ms")] {
        let (mut scene, start) =
            scene(&[&format!(r#"{{"requests":{requests},"per":"{per}","burst":1}}"#)]);
        assert!(ask(&scene).is_none());
        let failure = ask(&scene).expect("one at a time");
        let wait = failure.evidence.number(Key::RetryAfterMs).expect("it is known when");
        scene.arrived = start + Duration::from_millis(wait);
        assert!(ask(&scene).is_none(), "{requests} in {per}: {wait} ms");
    }
}

#[test]
fn each_is_counted_by_itself() {
    let once = r#"{"requests":1,"per":"1h","by":"BY"}"#;
    let with = |by: &str| scene(&[&once.replace("BY", by)]).0;
    let at = |scene: &mut Scene, ip: &str| {
        scene.peer =
            crate::chain::Peer::Inet((ip.parse::<IpAddr>().expect("an address"), 1).into());
    };
    let mut client = with("client");
    for (ip, passes) in [
        ("192.0.2.1", true),
        ("192.0.2.2", true),
        ("192.0.2.1", false),
        ("::ffff:192.0.2.2", false),
        ("2001:db8:1:2::1", true),
        ("2001:db8:1:2:ffff::9", false),
        ("2001:db8:1:3::1", true),
    ] {
        at(&mut client, ip);
        assert_eq!(ask(&client).is_none(), passes, "{ip}");
    }
    client.peer = crate::chain::Peer::Unix;
    assert!(ask(&client).is_none() && ask(&client).is_some());

    let mut route = with("route");
    assert!(ask(&route).is_none());
    at(&mut route, "192.0.2.7");
    assert!(ask(&route).is_some());

    let mut header = with("header X-Api-Key");
    for (value, passes) in
        [(None, true), (None, false), (Some("a"), true), (Some("b"), true), (Some("a"), false)]
    {
        header.headers = value
            .into_iter()
            .map(|v| {
                let name = HeaderName::from_static("x-api-key");
                (name, http::HeaderValue::from_static(v))
            })
            .collect();
        let refused = ask(&header);
        assert_eq!(refused.is_none(), passes, "{value:?}");
        if let Some(failure) = refused {
            assert_eq!(failure.evidence.text(Key::CountedBy), Some("header x-api-key"));
        }
    }
}

#[test]
fn what_one_rate_refuses_no_other_counts() {
    let (mut scene, start) =
        scene(&[r#"{"requests":3,"per":"1h","by":"route"}"#, r#"{"requests":1,"per":"1s"}"#]);
    assert!(ask(&scene).is_none());
    for _ in 0..9 {
        let failure = ask(&scene).expect("one a second");
        assert_eq!(failure.evidence.text(Key::Setting), Some("routes[0].rate[1]"));
    }
    for second in 1..3 {
        scene.arrived = start + Duration::from_secs(second);
        assert!(ask(&scene).is_none(), "the route had two left");
    }
    scene.arrived = start + Duration::from_secs(9);
    let failure = ask(&scene).expect("three an hour");
    assert_eq!(failure.evidence.text(Key::Setting), Some("routes[0].rate[0]"));
}

#[test]
fn a_million_keys_take_bounded_room_and_the_busy_one_is_not_forgotten() {
    let table = Table::new(&rate(r#"{"requests":1,"per":"1h"}"#));
    let now = Instant::now();
    let count = |key| table.look(key, now).map(table::Place::take).is_ok();
    assert!(count(u128::MAX));
    for key in 0..1_000_000 {
        count(key);
        if key % 1_000 == 0 {
            assert!(!count(u128::MAX), "forgotten after {key}");
        }
    }
    assert!(table.keys() <= MAX_KEYS, "{} keys", table.keys());
    assert!(table.keys() > MAX_KEYS / 4, "{} keys", table.keys());
}

#[test]
fn full_buckets_are_forgotten() {
    let table = Table::new(&rate(r#"{"requests":10,"per":"1s","by":"route"}"#));
    let start = Instant::now();
    for second in 0_u64..60 {
        let now = start + Duration::from_secs(second);
        for key in 0..10 {
            let key = u128::from(second) * 10 + key;
            table.look(key, now).map(table::Place::take).expect("each comes once");
        }
    }
    assert!(table.keys() <= 30, "{} keys", table.keys());
}

#[test]
fn many_threads_are_let_through_exactly_as_often_as_one() {
    const MOST: usize = 500;
    let (scene, _) = scene(&[r#"{"requests":500,"per":"1h"}"#, r#"{"requests":600,"per":"1h"}"#]);
    let passed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..MOST {
                    if ask(&scene).is_none() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(passed.load(Ordering::Relaxed), MOST);
}

#[test]
fn rates_are_written_alone_or_as_a_list() {
    let one: Several = serde_json::from_str(r#"{"requests":5}"#).expect("a rate");
    let list: Several = serde_json::from_str(r#"[{"requests":5,"per":"1s"}]"#).expect("a list");
    assert_eq!(one, list);
    assert_eq!(one.0[0].burst(), 5);
    let again = serde_json::to_string(&one).expect("plain data");
    assert_eq!(serde_json::from_str::<Several>(&again).ok(), Some(one));
    for bad in ["clients", "header", "header ", "header a b", "header Connection", "CLIENT", ""] {
        assert!(By::try_from(bad.to_owned()).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_way_to_count_or_is_none(text in "\\PC{0,30}|header \\PC{0,20}") {
        if let Ok(by) = By::try_from(text) {
            prop_assert_eq!(By::try_from(by.to_string()), Ok(by));
        }
    }

    /// A bucket that holds its tokens as fractions and is filled at each look, one for each key.
    #[test]
    fn a_bucket_decides_as_a_plain_one_would(
        requests in 1_u32..8, per in 1_u64..5, burst in 1_u32..10,
        steps in proptest::collection::vec((0_u64..700, 0_u128..3), 1..200),
    ) {
        let rate = Rate {
            requests, per: Span(Duration::from_millis(per * 100)), burst: Some(burst), by: By::Client,
        };
        let table = Table::new(&rate);
        // In units of which a token has as many as `per` has microseconds.
        let token = u128::from(per) * 100_000;
        let most = token * u128::from(burst);
        let mut plain: HashMap<u128, (u128, u64)> = HashMap::new();
        let epoch = Instant::now();
        let mut now = 0;
        for (step, key) in steps {
            now += step * 100;
            let (tokens, at) = plain.entry(key).or_insert((most, now));
            *tokens = most.min(*tokens + u128::from(now - *at) * u128::from(requests));
            *at = now;
            let passes = *tokens >= token;
            let looked = table.look(key, epoch + Duration::from_micros(now));
            prop_assert_eq!(looked.is_ok(), passes, "at {} us", now);
            match looked {
                Ok(place) => { place.take(); *tokens -= token; }
                Err(wait) => {
                    let missing = (token - *tokens).div_ceil(u128::from(requests));
                    prop_assert_eq!(wait.as_nanos().div_ceil(1_000), missing);
                }
            }
        }
    }
}
