use super::*;
use crate::attribution::cause;
use crate::attribution::cause::answer::ORIGIN_SLOW;
use crate::attribution::cause::path::{
    CONNECT_REFUSED, CONNECT_TIMEOUT, DNS_NAME_NOT_FOUND, DNS_STALE_ADDRESS,
};

#[test]
fn accepted_connections_are_counted_from_an_instant() {
    let neighbour = Neighbour::default();
    let start = Instant::now();
    for second in 0..5 {
        neighbour.accepted(start + Duration::from_secs(second));
    }
    assert_eq!(neighbour.accepted_since(start), 5);
    assert_eq!(neighbour.accepted_since(start + Duration::from_secs(3)), 2);
    assert_eq!(neighbour.last_accepted(), Some(start + Duration::from_secs(4)));
    (0..1000).for_each(|_| neighbour.accepted(start));
    assert_eq!(neighbour.accepted_since(start), MEMORY);
}

#[test]
fn an_attempt_is_in_flight_until_dropped() {
    let neighbour = Arc::new(Neighbour::default());
    let attempt = neighbour.begin();
    assert_eq!(neighbour.in_flight(), 1);
    drop(attempt);
    assert_eq!(neighbour.in_flight(), 0);
}

/// An endpoint that closed connections at these moments after they were idle for so long, both in
/// seconds.
fn closing(closed: &[(u64, u64)]) -> Neighbour {
    let neighbour = Neighbour::default();
    for (at, idle) in closed {
        let at = neighbour.born + Duration::from_secs(*at);
        neighbour.closed_after(at, Duration::from_secs(*idle));
    }
    neighbour
}

#[test]
fn the_idle_timeout_is_learned_from_closings_that_are_alike() {
    let seconds = Duration::from_secs;
    for (closed, learned) in [
        (&[(0, 60), (5, 60)][..], None),
        (&[(0, 60), (5, 61), (9, 62)], Some(60)),
        (&[(0, 60), (0, 60), (0, 60), (0, 60)], None),
        (&[(0, 60), (0, 60), (0, 60), (1, 60)], Some(60)),
        (&[(0, 10), (5, 60), (9, 61), (11, 62)], Some(60)),
        (&[(0, 10), (5, 20), (9, 30), (11, 40), (12, 50)], None),
    ] {
        assert_eq!(closing(closed).idle_timeout(), learned.map(seconds), "{closed:?}");
    }
    let neighbour = closing(&[(0, 5), (5, 5), (9, 5)]);
    neighbour.survived(seconds(4));
    assert_eq!(neighbour.idle_timeout(), Some(seconds(5)));
    neighbour.survived(seconds(6));
    assert_eq!(neighbour.idle_timeout(), None, "it does not close them then");
}

#[test]
fn a_warning_is_given_once_for_each_timeout_that_is_learned() {
    let seconds = Duration::from_secs;
    let neighbour = closing(&[(0, 100), (5, 100), (9, 100)]);
    assert!(neighbour.news() && !neighbour.news());
    assert_eq!(neighbour.warning(), None, "nothing is kept as far as is known");
    assert!(neighbour.kept_for(seconds(80)));
    assert_eq!(neighbour.warning(), None);
    assert!(neighbour.kept_for(seconds(600)) && !neighbour.kept_for(seconds(600)));
    assert_eq!(neighbour.warning(), Some(seconds(100)));
    neighbour.closed_after(neighbour.born, seconds(95));
    assert_eq!(neighbour.warning(), None, "it is as good as the same");
    assert_eq!(neighbour.outlived(), Some(seconds(95)));
    for at in [20, 30, 40] {
        neighbour.closed_after(neighbour.born + seconds(at), seconds(2));
    }
    assert_eq!(neighbour.warning(), Some(seconds(2)));
    neighbour.kept_for(seconds(1));
    assert_eq!(neighbour.outlived(), None, "the setting was put right");
}

#[test]
fn silence_counts_only_while_nothing_is_accepted() {
    let neighbour = Neighbour::default();
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    neighbour.accepted(start);
    for at in [1, 2, 3] {
        neighbour.unanswered(after(at));
    }
    assert_eq!(neighbour.silent_since(start), 0);
    assert_eq!(neighbour.silent_since(after(2)), 2);
    neighbour.accepted(after(4));
    assert_eq!(neighbour.silent_since(after(2)), 0);
}

#[test]
fn what_is_advised_is_shorter() {
    let millis = Duration::from_millis;
    for (timeout, advised) in [(60_000, 48_000), (5_003, 4_000), (1_300, 1_000), (1_000, 800)] {
        assert_eq!(advised_idle(millis(timeout)), millis(advised));
    }
}

#[test]
fn a_time_limit_of_the_endpoints_own_shows_in_waits_that_are_alike() {
    let millis = Duration::from_millis;
    for (waits, usual) in [
        (&[30_000, 30_010][..], None),
        (&[30_000, 30_010, 31_000], Some(30_010)),
        (&[30_000, 30_010, 32_000], None),
        (&[1_000, 1_049, 1_050], Some(1_049)),
        (&[1_000, 1_049, 1_053], None),
        (&[999, 1_000, 1_001], None),
        (&[30_000, 30_000, 30_000, 2_000], None),
        (&[2_000, 30_000, 30_010, 30_020], Some(30_010)),
        (&[2_000, 31_000, 30_010, 30_020], Some(30_020)),
        (&[32_000, 31_000, 30_010, 30_020], Some(30_020)),
        (&[0, 0, 0, 0], None),
    ] {
        let neighbour = Neighbour::default();
        let now = Instant::now();
        for waited in waits {
            neighbour.gave_up_after(now, millis(*waited));
        }
        assert_eq!(neighbour.usual_wait(now), usual.map(millis), "{waits:?}");
        assert_eq!(neighbour.usual_wait(now + WAITS_LAST * 2), None, "that was long ago");
        (0..WAITS).for_each(|_| neighbour.gave_up_after(now, millis(7_000)));
        assert_eq!(neighbour.usual_wait(now), Some(millis(7_000)), "only the last ones count");
    }
}

#[test]
fn smaller_requests_of_the_last_minute_are_counted() {
    let neighbour = Neighbour::default();
    let now = neighbour.born;
    for size in [0, 100, 900, 1_023, 1_024, 9_000, u64::MAX] {
        neighbour.answered(now, size);
    }
    let smaller = |after, size| neighbour.smaller_answered(now + Duration::from_secs(after), size);
    assert_eq!(smaller(0, 1_500), 4, "1,024 is not surely smaller than 1,500");
    assert_eq!(smaller(0, 0), 0);
    assert_eq!(smaller(0, u64::MAX), 6);
    assert_eq!(smaller(59, 1_500), 4);
    assert_eq!(smaller(80, 1_500), 0);
}

#[test]
fn looks_are_rare_and_soon_forgotten() {
    let neighbour = Neighbour::default();
    let start = neighbour.born;
    let after = |seconds| start + Duration::from_secs(seconds);
    assert!(neighbour.begin_check(start) && !neighbour.begin_check(after(29)));
    assert_eq!(neighbour.check(after(29)), None, "nothing was found yet");
    let refused = Finding::Failed(&cause::path::CONNECT_REFUSED);
    neighbour.checked(after(3), refused);
    assert_eq!(neighbour.check(after(29)), Some((Duration::from_secs(26), refused)));
    assert!(neighbour.begin_check(after(30)));
    assert_eq!(neighbour.check(after(4) + LATELY), None);
}

#[test]
fn an_endpoint_takes_little_room() {
    assert!(size_of::<Neighbour>() <= 5 * 1024, "{}", size_of::<Neighbour>());
}

#[test]
fn a_check_that_could_not_connect_is_forgotten_when_somebody_can() {
    let now = Instant::now();
    let later = |millis| now + Duration::from_millis(millis);
    for (finding, lasts) in [
        (Finding::Answers, true),
        (Finding::Failed(&CONNECT_REFUSED), false),
        (Finding::Failed(&CONNECT_TIMEOUT), false),
        (Finding::Failed(&ORIGIN_SLOW), true),
        (Finding::Failed(&DNS_NAME_NOT_FOUND), true),
        (Finding::Failed(&DNS_STALE_ADDRESS), true),
    ] {
        let known = Neighbour::default();
        known.accepted(now);
        known.checked(later(1), finding);
        assert_eq!(known.check(later(2)).map(|(_, found)| found), Some(finding));
        known.accepted(later(2));
        let still = known.check(later(3)).map(|(_, found)| found);
        assert_eq!(still, lasts.then_some(finding));
    }
}
