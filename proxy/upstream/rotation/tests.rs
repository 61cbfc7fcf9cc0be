//! Who is out, for how long, and who never is.

use std::time::Duration;

use whodunit_conf::schema::percent::Share;
use whodunit_filters::attribution::cause::answer::ORIGIN_SLOW;
use whodunit_filters::attribution::cause::path::CONNECT_REFUSED;
use whodunit_filters::units::Span;

use super::*;

const REFUSED: Reason = Reason::Failed(&CONNECT_REFUSED);
const SECOND: Duration = Duration::from_secs(1);

fn hop(number: u8) -> NextHop {
    NextHop::Inet(([192, 0, 2, number], 80).into())
}

fn members(count: u8) -> Members {
    Members { busy: (1..=count).map(hop).collect(), whole: true, ..Members::default() }
}

fn eject(after: u32) -> Eject {
    Eject { after, time: Span(SECOND), ..Eject::default() }
}

fn rotation(health: Option<Health>, eject: Option<Eject>) -> Rotation {
    let rotation = Rotation::default();
    rotation.follow(rules(health, eject), &members(4));
    rotation
}

fn rules(health: Option<Health>, eject: Option<Eject>) -> Rules {
    Rules { upstream: "web".into(), health: health.map(Arc::new), line: 1, eject }
}

fn fail(rotation: &Rotation, number: u8, times: u32, of: u8) {
    for _ in 0..times {
        rotation.failed(&hop(number), REFUSED, || members(of));
    }
}

#[test]
fn checks_take_an_address_out_and_bring_it_back() {
    let health = Health::default();
    let mut standing = Standing::default();
    assert_eq!(standing.state(), State::In { since: None });
    assert_eq!(standing.checked(Err(REFUSED), &health), None);
    assert_eq!(standing.checked(Ok(()), &health), None, "not in a row");
    let slow = Reason::Failed(&ORIGIN_SLOW);
    let failed: Vec<_> =
        [REFUSED, REFUSED, slow].map(|reason| standing.checked(Err(reason), &health)).to_vec();
    assert_eq!(failed, [None, None, Some(Turn::Unhealthy(3, slow))]);
    assert!(!standing.is_in());
    standing.checked(Err(REFUSED), &health);
    let State::Unhealthy { reason, .. } = standing.state() else { panic!("{standing:?}") };
    assert_eq!(reason, REFUSED, "the latest counts");
    assert_eq!(standing.checked(Ok(()), &health), None);
    assert_eq!(standing.checked(Err(REFUSED), &health), None, "not in a row");
    assert_eq!(standing.checked(Ok(()), &health), None);
    assert_eq!(standing.checked(Ok(()), &health), Some(Turn::Healthy(2, true)));
    assert!(matches!(standing.state(), State::In { since: Some(_) }), "{standing:?}");
}

#[test]
fn an_ejection_that_follows_soon_lasts_longer() {
    let eject = eject(2);
    let mut standing = Standing::default();
    let mut now = Instant::now();
    assert_eq!(standing.failed(REFUSED, &eject, true, now), None);
    for times in (1..=10).chain([10, 10]) {
        let time = SECOND * times;
        let Some(Turn::Ejected(2, _, lasts)) = standing.failed(REFUSED, &eject, true, now) else {
            panic!("the first failure takes it out again: {standing:?}")
        };
        assert_eq!(lasts, time);
        assert_eq!(standing.failed(REFUSED, &eject, true, now), None, "it had been sent before");
        assert_eq!(standing.settle(now + time.mul_f32(0.9), Some(&eject)), None);
        now += time;
        assert_eq!(standing.settle(now, Some(&eject)), Some(Turn::Served));
        assert!(standing.is_in());
    }
    standing.answered();
    now += 11 * SECOND;
    assert_eq!(standing.failed(REFUSED, &eject, true, now), None, "it had shown that it is well");
    let again = standing.failed(REFUSED, &eject, true, now);
    assert_eq!(again, Some(Turn::Ejected(2, REFUSED, SECOND)), "and was well for long");
}

#[test]
fn a_part_of_the_addresses_is_never_ejected() {
    let share = |percent: &str| percent.parse::<Share>().expect("a share");
    for (addresses, percent, most) in [
        (0, "50%", 0),
        (1, "100%", 0),
        (2, "10%", 1),
        (2, "100%", 1),
        (3, "50%", 1),
        (4, "50%", 2),
        (10, "10%", 1),
        (10, "100%", 9),
    ] {
        assert_eq!(allowed(addresses, share(percent)), most, "{percent} of {addresses}");
    }
    let rotation = rotation(None, Some(eject(2)));
    (1..=4).for_each(|number| fail(&rotation, number, 5, 4));
    let held: Vec<_> = (1..=4).map(|number| rotation.holds(&hop(number))).collect();
    assert_eq!(held, [false, false, true, true]);
    fail(&rotation, 9, 5, 4);
    assert!(rotation.holds(&hop(9)), "a stranger");
    assert_eq!(rotation.standings().len(), 4, "strangers are not remembered");
    assert!(rotation.recall());
    assert!((1..=4).all(|number| rotation.holds(&hop(number))), "if nobody else is left");
    assert!(!rotation.recall());
}

#[test]
fn who_is_out_by_checks_leaves_less_room_for_ejections() {
    let health = Health { unhealthy_after: 1, ..Health::default() };
    let rotation = rotation(Some(health), Some(eject(1)));
    rotation.checked(1, &hop(1), Err(REFUSED));
    fail(&rotation, 2, 3, 2);
    assert!(!rotation.holds(&hop(1)) && rotation.holds(&hop(2)));
    assert!(!rotation.recall(), "a check holds until one finds otherwise");
    assert!(!rotation.holds(&hop(1)));
}

#[test]
fn an_answer_ends_the_row() {
    let rotation = rotation(None, Some(eject(3)));
    for _ in 0..4 {
        fail(&rotation, 1, 2, 2);
        rotation.answered(&hop(1));
    }
    assert!(rotation.holds(&hop(1)));
    fail(&rotation, 1, 3, 2);
    assert!(!rotation.holds(&hop(1)));
}

#[test]
fn other_rules_begin_anew_only_where_they_differ() {
    let health = Health { unhealthy_after: 1, ..Health::default() };
    let first = Some(eject(1));
    let rotation = rotation(Some(health.clone()), first);
    let number = rotation.follow(rules(Some(health.clone()), first), &members(4));
    rotation.checked(number, &hop(1), Err(REFUSED));
    fail(&rotation, 2, 1, 4);
    let longer = Some(Eject { time: Span::seconds(9), ..eject(1) });
    assert_eq!(rotation.follow(rules(Some(health.clone()), longer), &members(4)), number);
    assert!(!rotation.holds(&hop(1)) && !rotation.holds(&hop(2)));
    let other = Health { path: "/other".parse().expect("a path"), ..health };
    let next = rotation.follow(rules(Some(other.clone()), longer), &members(4));
    assert_ne!(next, number);
    assert!(rotation.holds(&hop(1)) && !rotation.holds(&hop(2)));
    rotation.checked(number, &hop(1), Err(REFUSED));
    assert!(rotation.holds(&hop(1)), "a check that began before says nothing of these");
    rotation.follow(rules(Some(other), None), &members(4));
    assert!(rotation.holds(&hop(2)));
}

#[test]
fn addresses_that_are_gone_are_forgotten() {
    let health = Health { unhealthy_after: 1, ..Health::default() };
    let rotation = rotation(Some(health), None);
    (1..=3).for_each(|number| rotation.checked(1, &hop(number), Err(REFUSED)));
    let endpoint: Target = "app.test:80".parse().expect("a target");
    let unsure = Members { whole: false, unknown: 1, ..Members::default() };
    rotation.ended(1, &endpoint, Instant::now(), &unsure);
    assert_eq!(rotation.standings().len(), 3);
    rotation.ended(1, &endpoint, Instant::now(), &members(2));
    assert_eq!(rotation.standings().len(), 2);
    assert!(rotation.holds(&hop(3)));
    rotation.follow(rules(None, None), &members(1));
    assert_eq!(rotation.standings().len(), 1);
}
