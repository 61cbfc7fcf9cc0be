//! Places are limited, given back, and waited for in order.

use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::sync::{Barrier, Mutex};

use super::*;

const TWO: Room = Room { connections: Some(2), requests: None, queue: None };

fn places(room: Room) -> Arc<Places> {
    let places = Arc::new(Places::default());
    places.allow(room);
    places
}

fn queued(length: u32) -> Room {
    let queue = Queue { length, timeout: Duration::from_secs(1) };
    Room { connections: Some(1), requests: None, queue: Some(queue) }
}

fn ask(places: &Places, room: Room) -> Asked {
    places.ask(Kind::Connection, "web", room, Duration::ZERO)
}

fn place(places: &Places, room: Room) -> Option<Place> {
    match ask(places, room) {
        Asked::Place(place) => Some(place),
        Asked::Wait(..) | Asked::Full(_) => None,
    }
}

fn ticket(places: &Places, room: Room) -> Ticket {
    match ask(places, room) {
        Asked::Wait(ticket, _) => ticket,
        other => panic!("{other:?}"),
    }
}

fn full(places: &Places, room: Room) -> Failure {
    match ask(places, room) {
        Asked::Full(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_place_is_free_again_when_it_is_left() {
    let places = places(TWO);
    let first = place(&places, TWO).expect("room for two");
    let _second = place(&places, TWO).expect("room for two");
    let full = full(&places, TWO);
    assert_eq!(full.evidence.number(Key::Open), Some(2));
    assert_eq!(full.evidence.number(Key::MaxCount), Some(2));
    assert_eq!(full.evidence.text(Key::Setting), Some("upstreams.web.max_connections"));
    assert_eq!(full.evidence.find(Key::Queued), None);
    let request = places.ask(Kind::Request, "web", TWO, Duration::ZERO);
    assert!(matches!(request, Asked::Place(_)), "requests are counted by themselves");
    drop(first);
    place(&places, TWO).expect("one has left");
}

#[test]
fn many_threads_never_hold_more_than_there_are() {
    let places = places(TWO);
    let holding = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let Some(_place) = place(&places, TWO) else { continue };
                    assert!(holding.fetch_add(1, Ordering::AcqRel) < 2);
                    holding.fetch_sub(1, Ordering::AcqRel);
                }
            });
        }
    });
    assert_eq!(places.connections(), 0);
}

#[tokio::test]
async fn who_waits_first_is_first_and_nobody_comes_before() {
    let room = queued(2);
    let places = places(room);
    let held = place(&places, room).expect("the only one");
    let (mut first, mut second) = (ticket(&places, room), ticket(&places, room));
    let refused = full(&places, room);
    assert_eq!(refused.evidence.number(Key::Queued), Some(2));
    assert_eq!(refused.evidence.number(Key::MaxQueued), Some(2));
    drop(held);
    assert_eq!((places.connections(), places.queued()), (1, 1), "the place went on at once");
    let third = ticket(&places, room);
    let place = first.place().await;
    drop(third);
    drop(place);
    let place = second.place().await;
    assert_eq!((places.connections(), places.queued()), (1, 0));
    drop(place);
    assert_eq!(places.connections(), 0);
}

#[tokio::test]
async fn who_leaves_the_line_is_forgotten_and_a_place_that_came_too_late_goes_on() {
    let room = queued(9);
    let places = places(room);
    let held = place(&places, room).expect("the only one");
    let (first, second, mut third) =
        (ticket(&places, room), ticket(&places, room), ticket(&places, room));
    drop(second);
    assert_eq!(places.queued(), 2);
    drop(held);
    // It has its place, and does not fetch it.
    drop(first);
    let _place = third.place().await;
    assert_eq!((places.connections(), places.queued()), (1, 0));
}

#[tokio::test]
async fn a_limit_that_is_raised_lets_those_in_who_wait() {
    let room = queued(9);
    let places = places(room);
    let _held = place(&places, room).expect("the only one");
    let mut waiting = ticket(&places, room);
    places.allow(Room { connections: Some(2), ..room });
    let second = waiting.place().await;
    places.allow(room);
    let mut waiting = ticket(&places, room);
    drop(second);
    assert_eq!((places.connections(), places.queued()), (1, 1), "there is room for one again");
    places.allow(Room { connections: None, ..room });
    let _place = waiting.place().await;
}

#[test]
fn who_has_waited_for_too_long_waits_no_more() {
    let room = queued(9);
    let places = places(room);
    let _held = place(&places, room).expect("the only one");
    let Asked::Full(late) = places.ask(Kind::Connection, "web", room, Duration::from_secs(1))
    else {
        panic!("its time is over");
    };
    assert_eq!(late.evidence.number(Key::WaitedMs), Some(1_000));
    assert_eq!(late.evidence.number(Key::LimitMs), Some(1_000));
}

/// Waiters that give up at any moment, places that are left at any moment: none is lost, and none is
/// given twice.
#[test]
fn no_place_and_no_waiter_is_lost_among_many_threads() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 3_000;
    let room = Room {
        connections: Some(2),
        requests: None,
        queue: Some(Queue { length: 1_000, timeout: Duration::from_mins(1) }),
    };
    let places = places(room);
    let (holding, had) = (AtomicU32::new(0), AtomicUsize::new(0));
    let start = Barrier::new(THREADS);
    let given_up = Mutex::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (places, holding, had) = (&places, &holding, &had);
            let (start, given_up) = (&start, &given_up);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                start.wait();
                runtime.expect("a runtime").block_on(async {
                    for round in 0..ROUNDS {
                        let place = match ask(places, room) {
                            Asked::Place(place) => place,
                            Asked::Wait(ticket, _) if (round + thread) % 7 == 0 => {
                                drop(ticket);
                                *given_up.lock().expect("nobody panicked") += 1;
                                continue;
                            }
                            Asked::Wait(mut ticket, _) => ticket.place().await,
                            Asked::Full(failure) => panic!("{failure:?}"),
                        };
                        assert!(holding.fetch_add(1, Ordering::AcqRel) < 2);
                        had.fetch_add(1, Ordering::Relaxed);
                        if round % 5 == 0 {
                            std::thread::yield_now();
                        }
                        holding.fetch_sub(1, Ordering::AcqRel);
                        drop(place);
                    }
                });
            });
        }
    });
    let given_up = given_up.into_inner().expect("nobody panicked");
    assert_eq!(had.load(Ordering::Relaxed) + given_up, THREADS * ROUNDS);
    assert_eq!((places.connections(), places.queued()), (0, 0));
}
