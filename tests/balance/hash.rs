//! `balance: hash`.

use super::*;
use crate::rig::dns::{Answer, Dns};
use crate::rig::net::Refusing;

const KEYS: usize = 60;

/// Who answers each of many users.
fn placed(proxy: &Proxy) -> Vec<String> {
    (0..KEYS).map(|user| word(proxy, &format!("X-User: user-{user}\r\n"))).collect()
}

#[test]
fn a_user_is_always_answered_by_the_same_one() {
    let origins = origins(&["a", "b", "c"]);
    let settings = || before(&origins).having("balance: hash, hash: { by: header X-User }");
    let proxy = settings().start();
    let first = placed(&proxy);
    assert_eq!(placed(&proxy), first);
    let counts = counted(first.clone());
    assert!(counts.len() == 3 && counts.values().all(|count| *count >= KEYS / 10), "{counts:?}");
    assert_eq!(placed(&settings().start()), first, "another proxy comes to the same");
}

#[test]
fn an_endpoint_that_goes_or_comes_moves_its_own_users_only() {
    let origins = origins(&["a", "b", "c"]);
    let with = |endpoints: &[Origin]| {
        let settings = before(endpoints).having("balance: hash, hash: { by: header X-User }");
        origins.iter().fold(settings, Settings::knowing).with("reload", "watch: false")
    };
    let mut proxy = with(&origins).start();
    let all = placed(&proxy);
    reload(&mut proxy, &with(&origins[..2]), 1);
    let without = placed(&proxy);
    for (before, after) in all.iter().zip(&without) {
        assert!(before == after || before == "c", "{before} moved to {after}");
        assert_ne!(after, "c");
    }
    reload(&mut proxy, &with(&origins), 2);
    assert_eq!(placed(&proxy), all);
}

#[test]
fn the_next_one_steps_in_for_one_that_is_down() {
    let (closed, origins) = (Refusing::new(), origins(&["a", "b"]));
    let endpoints = [closed.endpoint.as_str(), &origins[0].endpoint, &origins[1].endpoint];
    let settings = origins.iter().fold(Settings::endpoints(&endpoints), Settings::knowing);
    let proxy = settings.having("balance: hash, hash: { by: header X-User }").start();
    let first = placed(&proxy);
    assert_eq!(placed(&proxy), first, "it is always the same that steps in");
    assert_eq!(counted(first).len(), 2);
}

#[test]
fn a_request_without_what_to_go_by_has_its_turn() {
    let origins = origins(&["a", "b"]);
    let proxy = before(&origins).having("balance: hash, hash: { by: cookie sid }").start();
    let counts = counted((0..10).map(|_| word(&proxy, "Cookie: other=1\r\n")));
    assert_eq!((counts["a"], counts["b"]), (5, 5));
    let of = |sid: &str| counted((0..5).map(|_| word(&proxy, &format!("Cookie: x=1; {sid}\r\n"))));
    assert_eq!(of("sid=abc").len(), 1);
}

#[test]
fn the_client_is_the_one_behind_the_proxies_that_are_trusted() {
    let origins = origins(&["a", "b"]);
    let proxy = before(&origins).having("balance: hash").start();
    let by = |client: usize| word(&proxy, &format!("X-Forwarded-For: 198.51.100.{client}\r\n"));
    let counts = counted((0..30).map(by));
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert_eq!(counted((0..5).map(|_| by(7))).len(), 1);
    assert_eq!(counted((0..5).map(|_| word(&proxy, ""))).len(), 1, "one client, one endpoint");
}

#[test]
fn each_address_of_a_name_has_users_of_its_own() {
    let first = Origin::answering(saying("one"));
    let port: u16 = first.endpoint.rsplit_once(':').expect("a port").1.parse().expect("a number");
    let others: Vec<_> = [(3, "three"), (4, "four")]
        .map(|(last, word)| {
            Origin::at(([127, 0, 0, last], port).into(), move |mut connection| {
                while connection.request().is_some() {
                    connection.send(saying(word));
                }
            })
        })
        .into();
    let dns = Dns::new();
    let listed = |last: &[u8]| -> Answer {
        Answer::Addresses(last.iter().map(|last| [127, 0, 0, *last].into()).collect(), 1)
    };
    dns.set("api.test", listed(&[1, 3]));
    let settings = Settings::endpoints(&[&format!("api.test:{port}")])
        .with("resolver", &format!("servers: [ \"{}\" ]", dns.address))
        .having("balance: hash, hash: { by: header X-User }");
    let proxy = others.iter().fold(settings.knowing(&first), Settings::knowing).start();
    let two = placed(&proxy);
    assert_eq!(counted(two.clone()).len(), 2);
    dns.set("api.test", listed(&[4, 3, 1]));
    let three = until("the new address to be found", || {
        let placed = placed(&proxy);
        placed.contains(&"four".to_owned()).then_some(placed)
    });
    // The answer may have come in the middle of the round.
    let settled = placed(&proxy);
    assert!(three.iter().zip(&settled).all(|(one, other)| one == other || other == "four"));
    for (before, after) in two.iter().zip(&settled) {
        assert!(before == after || after == "four", "{before} moved to {after}");
    }
    let moved = settled.iter().filter(|word| *word == "four").count();
    assert!((KEYS / 10..KEYS * 6 / 10).contains(&moved), "{moved} of {KEYS}");
}
