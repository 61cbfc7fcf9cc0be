//! Weights: an endpoint that is drained, and one that starts slowly.

use super::*;

#[test]
fn an_endpoint_of_weight_0_gets_nothing_new_and_ends_what_it_has() {
    let (old, new) = (Holding::new("old"), Origin::answering(saying("new")));
    for policy in ["round_robin", "least_requests", "hash"] {
        let settings = |weight: u16| {
            let entry = format!(
                "endpoints: [ {{ address: \"{}\", weight: {weight} }}, \"{}\" ], \
                 balance: {policy}",
                old.origin.endpoint, new.endpoint
            );
            Settings::bare().upstream_of("web", &entry).with("reload", "watch: false")
        };
        let mut proxy = settings(65_535).start();
        let before = old.origin.requests().len();
        let held = until("the old one to be asked", || {
            let client = ask(&proxy, "/hold");
            let asked = old.asked.recv_timeout(std::time::Duration::from_millis(300)).is_ok();
            asked.then_some(client)
        });
        assert_eq!(old.origin.requests().len(), before + 1);
        reload(&mut proxy, &settings(0), 1);
        for _ in 0..20 {
            let mut client = ask(&proxy, "/");
            assert_eq!(client.receive("GET").expect("an answer").text(), "new", "{policy}");
        }
        let endpoint = shown(&proxy)["endpoints"][0].clone();
        assert_eq!(
            (&endpoint["weight"], &endpoint["addresses"][0]["in_flight"]),
            (&0.into(), &1.into())
        );
        let mut held = held;
        old.let_go(1);
        assert_eq!(held.receive("GET").expect("an answer").text(), "old");
        assert_eq!(old.origin.requests().len(), before + 1);
    }
}

#[test]
fn a_new_endpoint_starts_slowly_and_those_of_the_start_do_not() {
    let origins = origins(&["a", "b", "new"]);
    for policy in ["round_robin", "least_requests"] {
        let with = |endpoints: &[Origin]| {
            let settings = before(endpoints).with("reload", "watch: false");
            let settings = origins.iter().fold(settings, Settings::knowing);
            settings.having(&format!("balance: {policy}, slow_start: 1h"))
        };
        let mut proxy = with(&origins[..2]).start();
        let ask = |count: usize| counted((0..count).map(|_| word(&proxy, "")));
        let counts = ask(20);
        assert!(counts["a"] >= 3 && counts["b"] >= 3, "{counts:?}");
        reload(&mut proxy, &with(&origins), 1);
        let weight =
            |index: usize| shown(&proxy)["endpoints"][index]["addresses"][0]["weight_now"].as_f64();
        assert_eq!(weight(0), Some(1.0));
        assert!(weight(2) >= Some(0.1) && weight(2) < Some(0.2), "{:?}", weight(2));
        let counts = counted((0..42).map(|_| word(&proxy, "")));
        let new = counts.get("new").copied().unwrap_or(0);
        assert!(new < 12, "a tenth of the weight: {counts:?}");
        // Another change does not make it old, nor the others new.
        reload(&mut proxy, &with(&origins).having("max_requests: 500"), 2);
        let now: Vec<_> = (0..3)
            .map(|index| shown(&proxy)["endpoints"][index]["addresses"][0]["weight_now"].as_f64())
            .collect();
        assert!(now[0] == Some(1.0) && now[2] < Some(0.2), "{now:?}");
    }
}
