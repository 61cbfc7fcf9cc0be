//! `balance: least_requests`.

use super::*;
use crate::rig::dns::{Answer, Dns};

#[test]
fn the_busy_one_is_spared() {
    let (busy, idle) = (Holding::new("busy"), Origin::answering(saying("idle")));
    let with = |endpoints: &[&str]| {
        Settings::endpoints(endpoints)
            .having("balance: least_requests")
            .with("reload", "watch: false")
    };
    let mut proxy = with(&[&busy.origin.endpoint]).start();
    let _held: Vec<_> = (0..3).map(|_| busy.hold(&proxy)).collect();
    reload(&mut proxy, &with(&[&busy.origin.endpoint, &idle.endpoint]), 1);
    let at = |endpoint: &str| {
        let shown = shown(&proxy);
        let endpoints = shown["endpoints"].as_array().expect("a list");
        let found = endpoints.iter().find(|known| known["address"] == endpoint);
        found.expect("it is shown")["addresses"][0]["in_flight"].as_u64()
    };
    assert_eq!(shown(&proxy)["balance"], "least_requests");
    until("the idle one to have answered", || (at(&idle.endpoint) == Some(0)).then_some(()));
    assert_eq!(at(&busy.origin.endpoint), Some(3));
    let before = idle.requests().len();
    for _ in 0..30 {
        let mut client = ask(&proxy, "/");
        assert_eq!(client.receive("GET").expect("an answer").text(), "idle");
    }
    assert_eq!(idle.requests().len(), before + 30);
    busy.let_go(3);
    until("it to be free again", || (at(&busy.origin.endpoint) == Some(0)).then_some(()));
    until("it to be asked again", || {
        let mut client = ask(&proxy, "/");
        (client.receive("GET").expect("an answer").text() == "busy").then_some(())
    });
}

#[test]
fn what_is_under_way_outlives_a_reload() {
    let (busy, idle) = (Holding::new("busy"), Origin::answering(saying("idle")));
    let settings = |balance: &str| {
        Settings::endpoints(&[&busy.origin.endpoint, &idle.endpoint])
            .having(balance)
            .with("reload", "watch: false")
    };
    let mut proxy = settings("balance: round_robin").start();
    let mut held = Vec::new();
    until("the one to be busy", || {
        held.push(ask(&proxy, "/hold"));
        (busy.origin.requests().len() >= 3).then_some(())
    });
    reload(&mut proxy, &settings("balance: least_requests"), 1);
    for _ in 0..20 {
        let mut client = ask(&proxy, "/");
        assert_eq!(client.receive("GET").expect("an answer").text(), "idle");
    }
}

#[test]
fn each_address_of_a_name_is_one_of_its_own() {
    let busy = Holding::new("busy");
    let port: u16 =
        busy.origin.endpoint.rsplit_once(':').expect("a port").1.parse().expect("a number");
    let idle = Origin::at(([127, 0, 0, 3], port).into(), |mut connection| {
        while connection.request().is_some() {
            connection.send(saying("idle"));
        }
    });
    let dns = Dns::new();
    let both = vec![[127, 0, 0, 1].into(), [127, 0, 0, 3].into()];
    dns.set("api.test", Answer::Addresses(both, 300));
    let proxy = Settings::endpoints(&[&format!("api.test:{port}")])
        .knowing(&busy.origin)
        .knowing(&idle)
        .with("resolver", &format!("servers: [ \"{}\" ]", dns.address))
        .having("balance: least_requests")
        .start();
    let mut held = Vec::new();
    until("the one to be busy", || {
        held.push(ask(&proxy, "/hold"));
        (busy.origin.requests().len() >= 3).then_some(())
    });
    // Both draws may fall on the busy one, but not often.
    let words =
        counted((0..40).map(|_| ask(&proxy, "/").receive("GET").expect("an answer").text()));
    assert!(words["idle"] > words.get("busy").copied().unwrap_or(0), "{words:?}");
    let addresses = shown(&proxy)["endpoints"][0]["addresses"].clone();
    assert_eq!(addresses.as_array().map(Vec::len), Some(2), "{addresses}");
    assert_eq!(addresses[0]["weight_now"], 0.5, "they share the weight: {addresses}");
}
