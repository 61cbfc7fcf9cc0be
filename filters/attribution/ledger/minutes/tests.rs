use super::*;

const FRESH: Manner = Manner { reused: Some(false), size: 400 };
const REUSED: Manner = Manner { reused: Some(true), size: 400 };
const UNCONNECTED: Manner = Manner { reused: None, size: 400 };

/// Minutes, and what is told of the last of these requests, which come a second apart.
fn told(requests: impl IntoIterator<Item = (bool, Manner)>) -> Account {
    let minutes = Minutes::default();
    let mut now = minutes.born;
    for (good, manner) in requests {
        now += Duration::from_secs(1);
        if good { minutes.good(now, manner) } else { minutes.bad(now, manner) }
    }
    minutes.account(now)
}

fn goods(count: usize, manner: Manner) -> impl Iterator<Item = (bool, Manner)> {
    std::iter::repeat_n((true, manner), count)
}

fn bads(count: usize, manner: Manner) -> impl Iterator<Item = (bool, Manner)> {
    std::iter::repeat_n((false, manner), count)
}

#[test]
fn the_first_failure_is_called_the_first() {
    assert_eq!(told(bads(1, FRESH)).scope, Some(Scope::First));
    let after_good = told(goods(50, FRESH).chain(bads(1, FRESH)));
    assert_eq!((after_good.scope, after_good.answered), (Some(Scope::First), 50));
}

#[test]
fn all_is_said_only_after_enough_in_a_row() {
    for (good, bad, scope) in [
        (0, 2, None),
        (50, 2, None),
        (0, 3, Some(Scope::All)),
        (50, 3, Some(Scope::All)),
        (0, 200, Some(Scope::All)),
    ] {
        let account = told(goods(good, FRESH).chain(bads(bad, UNCONNECTED)));
        assert_eq!(account.scope, scope, "{good} good, then {bad} bad");
        assert_eq!(account.in_a_row, bad as u64);
        assert!(account.since.is_some());
    }
}

#[test]
fn where_some_went_well_it_takes_more_to_say_all() {
    for (bad, scope) in [(1, Scope::Some), (3, Scope::Some), (9, Scope::Some), (10, Scope::All)] {
        let mixed = bads(1, FRESH).chain(goods(1, FRESH)).chain(bads(bad, FRESH));
        assert_eq!(told(mixed).scope, Some(scope), "{bad} in a row");
    }
}

#[test]
fn what_is_long_ago_is_forgotten() {
    let minutes = Minutes::default();
    let later = minutes.born + LATELY + Duration::from_secs(20);
    let soon = minutes.born + Duration::from_millis(1);
    minutes.bad(minutes.born, FRESH);
    minutes.good(soon, FRESH);
    assert_eq!(minutes.counted(soon), (1, 1));
    assert!(minutes.answers(soon));
    assert_eq!(minutes.counted(later), (0, 0));
    assert!(!minutes.answers(later) && minutes.in_a_row(later) == 0);
    minutes.bad(later, FRESH);
    assert_eq!(minutes.account(later).scope, Some(Scope::First));
}

#[test]
fn few_requests_may_fail_for_hours() {
    let minutes = Minutes::default();
    let mut now = minutes.born;
    for _ in 0..4 {
        now += Duration::from_hours(1);
        minutes.bad(now, FRESH);
    }
    let account = minutes.account(now);
    assert_eq!((account.scope, account.failed, account.in_a_row), (Some(Scope::All), 1, 4));
    let since = account.since.expect("it began");
    assert!(since <= SystemTime::now());
}

#[test]
fn a_pattern_of_connections_is_claimed_only_beyond_chance() {
    for (fresh, reused, bad, claimed) in [
        (3, 0, 2, false),       // too few failed
        (100, 3, 3, true),      // hardly any went over reused connections, and all failures did
        (30, 0, 3, true),       // 1 in 5,456
        (10, 0, 3, false),      // 1 in 286
        (100, 1_000, 3, false), // nearly all go over reused connections
        (0, 1_000, 50, false),  // fresh ones were not seen
        (20, 1_000, 900, true), // nearly half of the reused ones fail, and no fresh one does
    ] {
        let good = goods(fresh, FRESH).chain(goods(reused, REUSED));
        let minutes = Minutes::default();
        let now = minutes.born;
        good.for_each(|(_, manner)| minutes.good(now, manner));
        (0..bad).for_each(|_| minutes.bad(now, REUSED));
        let account = minutes.account(now);
        assert_eq!(account.only_reused, claimed, "{fresh} fresh, {reused} reused, {bad} bad");
        assert!(!claimed || account.scope == Some(Scope::Some), "the others may fare well");
        minutes.bad(now, FRESH);
        assert!(!minutes.account(now).only_reused, "one on a fresh connection breaks it");
    }
}

#[test]
fn a_pattern_of_sizes_is_claimed_only_beyond_chance() {
    let sized = |size| Manner { reused: Some(false), size };
    for (good, bad, claimed) in [
        (16, 3, false), // 1 in 969
        (17, 3, true),  // 1 in 1,140
        (2, 500, false),
        (3, 500, true),
        (500, 2, false),
    ] {
        let minutes = Minutes::default();
        let now = minutes.born;
        (0..good).for_each(|i| minutes.good(now, sized(300 + i)));
        (0..bad).for_each(|i| minutes.bad(now, sized(1_500 + i)));
        let largest = 299 + good;
        assert_eq!(minutes.account(now).only_over, claimed.then_some(largest), "{good}, {bad}");
        minutes.good(now, sized(1_500));
        assert_eq!(minutes.account(now).only_over, None, "one so large went well");
    }
    let minutes = Minutes::default();
    let now = minutes.born;
    (0..50).for_each(|_| minutes.good(now, sized(30)));
    (0..9).for_each(|_| minutes.bad(now, sized(SMALL)));
    assert_eq!(minutes.account(now).only_over, None, "they are all small");
    let minutes = Minutes::default();
    let now = minutes.born;
    (0..50).for_each(|_| minutes.good(now, sized(300)));
    (0..9).for_each(|_| minutes.bad(now, Manner { reused: None, size: 9_000 }));
    assert_eq!(minutes.account(now).only_over, None, "nothing was sent, whatever its size");
}

#[test]
fn minutes_take_little_room() {
    assert!(size_of::<Minutes>() <= 2 * 1024, "{}", size_of::<Minutes>());
}
