//! `tier-outer.yaml` in front of two of `tier-inner.yaml`, over TLS that each side proves itself by.

use std::sync::Arc;

use super::curl;
use super::local::{Local, Place, Stands};
use super::origins::answering;
use crate::rig::certificates::Authority;
use crate::rig::net::Refusing;
use crate::rig::skip;

/// The outer tier, and the two of the inner one, before what this puts there.
fn tiers(stand: fn(&Place<'_>) -> Stands) -> (Local, [Local; 2]) {
    let authority = Arc::new(Authority::new("root"));
    let inner = [(); 2].map(|()| {
        let inner = Local::before("tier-inner", Arc::clone(&authority), |place| Ok(stand(place)));
        inner.expect("such origins can always be had")
    });
    let outer = Local::before("tier-outer", authority, |place| {
        Ok((inner[place.nth].proxy.address().to_string(), Box::new(())))
    });
    (outer.expect("they run"), inner)
}

#[test]
fn a_request_goes_through_both() {
    if let Err(why) = curl::installed() {
        return skip("examples::tiers::a_request_goes_through_both", &why);
    }
    let (outer, inner) = tiers(answering);
    let client = ["--header", "X-Forwarded-For: 198.51.100.7"];
    for (ask, upstream) in [("example.net/", "app"), ("example.net/legacy/x", "legacy")] {
        let before = [&outer, &inner[0], &inner[1]].map(|tier| tier.proxy.log.lines());
        let told = outer.ask(0, ask, &client);
        assert_eq!((told.status, told.body.as_str()), (200, upstream), "{told:?}");
        let seen = outer.proxy.log.wait(before[0] + 1).pop().expect("it was waited for");
        let place = seen["next_hop"].as_str().expect("it went on");
        let nth = inner.iter().position(|one| one.proxy.address().to_string() == place);
        let nth = nth.expect("to one of the two");
        let behind = inner[nth].proxy.log.wait(before[nth + 1] + 1).pop().expect("likewise");
        // curl, which tells of itself where a balancer would.
        let client = seen["client"].as_str().and_then(|client| client.split(':').next());
        assert_eq!(told.field("x-client"), Some("198.51.100.7, 127.0.0.1, 127.0.0.1"), "{told:?}");
        assert_eq!((client, &seen["told_by"]), (Some("127.0.0.1"), &seen["client"]), "{seen:#}");
        assert_eq!(behind["client_subject"], "CN=client.test", "the outer tier proves itself");
        assert!(seen["cause"].is_null() && behind["cause"].is_null(), "{seen:#}\n{behind:#}");
        assert_eq!(seen["id"], behind["id"], "one request, one id");
        assert_eq!(behind["upstream"], upstream);
    }
}

#[test]
fn the_outer_tier_names_what_is_dead_behind_the_inner_one() {
    if let Err(why) = curl::installed() {
        let test = "examples::tiers::the_outer_tier_names_what_is_dead_behind_the_inner_one";
        return skip(test, &why);
    }
    let (outer, _inner) = tiers(|place| {
        let closed = Refusing::new();
        (closed.endpoint.clone(), Box::new((closed, answering(place))))
    });
    let told = outer.ask(0, "example.net/", &[]);
    assert_eq!(told.status, 502, "{told:?}");
    let record = outer.proxy.log.wait(1).remove(0);
    assert_eq!(record["cause"], "next_hop_error", "{record:#}");
    assert_eq!(record["evidence"]["inner_node"], "inner-1.example.net", "{record:#}");
    assert_eq!(record["evidence"]["inner_cause"], "connect_refused", "{record:#}");
    // The client hears it of both: the cause of the one that saw it, and that the other is cleared.
    let said = told.field("proxy-status").expect("it says who failed");
    let (inner, outer) = said.split_once(", outer-1.example.net;").expect("both speak");
    assert!(inner.starts_with("inner-1.example.net;error=connection_refused;"), "{said}");
    assert!(inner.contains("cause=connect_refused;party=origin;"), "{said}");
    assert!(outer.starts_with("received-status=502;"), "{said}");
    assert!(told.body.contains("Proxy:     inner-1.example.net\n"), "{told:?}");
}
