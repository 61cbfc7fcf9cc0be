//! Whose turn it is, and which of its addresses.

use whodunit_filters::attribution::Fault;

use whodunit_filters::attribution::Key as Fact;
use whodunit_filters::attribution::cause::proxy::{NO_ENDPOINTS, PROXY_CONFIG_INVALID};

use super::super::balance::Key;
use super::super::lasting::Registry;
use super::super::resolve::ResolverSettings;
use super::*;

fn pool(endpoints: &[(&str, u32)], own: &[&str]) -> Pool {
    let endpoints = endpoints
        .iter()
        .map(|(target, weight)| (target.parse().expect("a target"), *weight))
        .collect();
    let upstream = Upstream { endpoints, ..Upstream::new("web", None, Protocol::Auto) };
    // Nobody is asked here: port 9 of the loopback would refuse at once.
    let servers = vec!["127.0.0.1:9".parse().expect("an address")];
    let settings = ResolverSettings { servers, attempts: 1, ..ResolverSettings::default() };
    let own = own.iter().map(|address| address.parse().expect("an address")).collect();
    let resolver = Resolver::new(&settings).expect("servers are given");
    Pool::new(upstream, resolver, Arc::new(Listeners::new(own)), Registry::default().of("web"))
}

async fn picks(pool: &Pool, tried: &[&str], count: usize) -> Vec<String> {
    let tried: Vec<_> = tried
        .iter()
        .map(|hop| match hop.parse().expect("a target") {
            Target::Ip(address) => NextHop::Inet(address),
            Target::Unix(path) => NextHop::Unix(path),
            Target::Name(..) => unreachable!("a hop has an address"),
        })
        .collect();
    let mut hops = Vec::new();
    for _ in 0..count {
        hops.push(
            pool.pick(Ask { tried: &tried, key: None })
                .await
                .expect("an endpoint")
                .next_hop
                .to_string(),
        );
    }
    hops
}

#[tokio::test]
async fn endpoints_have_their_turns_by_weight() {
    let pool = pool(&[("10.0.0.1:80", 2), ("unix:/run/a.sock", 1), ("10.0.0.3:80", 0)], &[]);
    let hops = picks(&pool, &[], 6).await;
    assert_eq!(hops.iter().filter(|hop| *hop == "10.0.0.1:80").count(), 4);
    assert_eq!(hops.iter().filter(|hop| *hop == "unix:/run/a.sock").count(), 2);
}

#[tokio::test]
async fn a_tried_endpoint_has_no_turn_unless_none_is_left() {
    let pool = pool(&[("10.0.0.1:80", 9), ("10.0.0.2:80", 1)], &[]);
    assert_eq!(picks(&pool, &["10.0.0.1:80"], 3).await, ["10.0.0.2:80"; 3]);
    assert_eq!(picks(&pool, &["10.0.0.1:80", "10.0.0.2:80"], 1).await.len(), 1);
}

#[tokio::test]
async fn each_address_of_a_name_is_tried() {
    let pool = pool(&[("localhost:80", 1)], &[]);
    assert_eq!(picks(&pool, &[], 2).await, ["127.0.0.1:80", "127.0.0.1:80"]);
    assert_eq!(picks(&pool, &["127.0.0.1:80"], 1).await, ["[::1]:80"]);
    assert_eq!(picks(&pool, &["127.0.0.1:80", "[::1]:80"], 1).await, ["127.0.0.1:80"]);
}

#[tokio::test]
async fn no_endpoints_and_no_weight_are_the_same() {
    for endpoints in [&[][..], &[("10.0.0.1:80", 0), ("10.0.0.2:80", 0)]] {
        let failure = pool(endpoints, &[]).pick(Ask::default()).await.expect_err("none");
        assert_eq!(failure.fault, Fault::Denied(&NO_ENDPOINTS));
        assert_eq!(failure.evidence.text(Fact::Upstream), Some("web"));
    }
}

#[tokio::test]
async fn a_listener_of_ours_is_no_endpoint() {
    let alone = pool(&[("localhost:80", 1)], &["0.0.0.0:80"]);
    let failure = alone.pick(Ask::default()).await.expect_err("refused");
    assert_eq!(failure.fault, Fault::Denied(&PROXY_CONFIG_INVALID));
    assert_eq!(failure.evidence.text(Fact::Setting), Some("upstreams.web.endpoints"));
    assert_eq!(failure.evidence.text(Fact::Address), Some("127.0.0.1:80"));
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_used_gives_way_and_is_told_of() {
    let pool = pool(&[("gone.test:80", 9), ("10.0.0.2:80", 1)], &[]);
    let picked = pool.pick(Ask::default()).await.expect("the other one");
    assert_eq!(picked.next_hop.to_string(), "10.0.0.2:80");
    let [(0, failure)] = &*picked.passed_over else { panic!("{picked:?}") };
    assert_eq!(failure.evidence.text(Fact::Errno), Some("ECONNREFUSED"));
    assert_eq!(failure.evidence.text(Fact::Resolver), Some("127.0.0.1:9"));
}

#[tokio::test]
async fn who_may_not_is_not_picked_whatever_the_policy() {
    for balance in [Balance::RoundRobin, Balance::LeastRequests, Balance::Hash] {
        let mut pool = pool(&[("10.0.0.1:80", 9), ("10.0.0.2:80", 1), ("localhost:80", 9)], &[]);
        pool.upstream.balance = balance;
        pool.spread = Spread::new(balance, &By::Client, &pool.upstream.endpoints);
        let may = |hop: &NextHop| hop.to_string() == "10.0.0.2:80";
        for user in 0..20_u8 {
            let ask = Ask { tried: &[], key: Some(Key::of(&[user])) };
            let picked = pool.pick_among(ask, may).await.expect("one may");
            assert_eq!(picked.next_hop.to_string(), "10.0.0.2:80", "{balance:?}");
        }
        let none = pool.pick_among(Ask::default(), |_| false).await.expect_err("nobody may");
        assert_eq!(none.fault, Fault::Denied(&NO_ENDPOINTS));
    }
}

#[tokio::test]
async fn the_less_busy_of_two_is_picked_in_terms_of_its_weight() {
    let mut pool = pool(&[("10.0.0.1:80", 3), ("10.0.0.2:80", 1)], &[]);
    pool.spread = Spread::new(Balance::LeastRequests, &By::Client, &pool.upstream.endpoints);
    let ledger = pool.lasting.roster.ledger();
    let hop = |last| NextHop::Inet(([10, 0, 0, last], 80).into());
    let begin = |last| ledger.neighbour(&hop(last), None).begin();
    let picked = async |pool: &Pool| pool.pick(Ask::default()).await.expect("one").next_hop;
    let mut held = vec![begin(1), begin(1), begin(2)];
    for _ in 0..30 {
        assert_eq!(picked(&pool).await, hop(1), "2 of 3 are less than 1 of 1");
    }
    held.extend([begin(1), begin(1)]);
    for _ in 0..30 {
        assert_eq!(picked(&pool).await, hop(2), "4 of 3 are more than 1 of 1");
    }
    held.clear();
    let mut first = 0;
    for _ in 0..400 {
        first += usize::from(picked(&pool).await == hop(1));
    }
    assert!((250..350).contains(&first), "by weight while nobody is busy: {first} of 400");
}
