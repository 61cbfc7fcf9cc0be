//! How often the verdict is right: every fault by every way in, over and over, in a shuffled order,
//! with healthy traffic beside it through the same proxy.
//!
//! A part of it runs with the other tests; `make accuracy` runs all of it and writes down what came
//! of it in `docs/`.

mod asker;
mod cells;
mod healthy;
mod matrix;
mod picture;
mod stage;
mod tail;
mod ways;

use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cells::Cell;
use matrix::Matrix;
use stage::Stage;

/// Set by the Makefile: everything is to be run, so often, and written down.
const ROUNDS: &str = "WHODUNIT_ACCURACY_ROUNDS";
/// The seed of the order, to see one again.
const SEED: &str = "WHODUNIT_ACCURACY_SEED";
/// How many faults are met at a time: most of the time is spent waiting for limits.
const AT_A_TIME: usize = 16;

/// Each fault of the lab by each way in, once.
#[test]
fn every_way_in_gets_the_same_verdict() {
    let rounds = asked(ROUNDS).unwrap_or(0);
    let seed = asked(SEED).unwrap_or_else(|| u64::from(std::process::id()));
    let mut matrix = Matrix::default();
    let began = Instant::now();
    for round in 0..rounds.max(1) {
        let cells = if rounds == 0 { cells::in_small() } else { cells::all() };
        say(&format!(
            "round {} of {}: {} faults, seed {seed}",
            round + 1,
            rounds.max(1),
            cells.len()
        ));
        play(cells, seed.wrapping_add(round), &mut matrix);
    }
    say(&format!("{} faults in {:.0} s", matrix.made(), began.elapsed().as_secs_f64()));
    if rounds > 0 {
        matrix.complete();
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let write = |name: &str, text: String| {
            std::fs::write(docs.join(name), text).expect("the folder can be written to");
        };
        write("accuracy.json", matrix.json(seed, rounds));
        write("accuracy.svg", picture::of(&matrix));
        say(&matrix.text());
    }
    assert!(matrix.is_right(), "{}", matrix.complaints());
}

/// Plays all cells once, shuffled, some at a time.
fn play(mut cells: Vec<Cell>, seed: u64, matrix: &mut Matrix) {
    shuffle(&mut cells, seed);
    let stage = Stage::set(&cells);
    let (next, told) = (AtomicUsize::new(0), Mutex::new(matrix));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let said = stage.meet(cell);
                    let mut matrix = told.lock().expect("nobody panicked");
                    matrix.add(cell, said);
                    if matrix.made() % 100 == 0 {
                        say(&format!("  {} made, {} wrong", matrix.made(), matrix.wrong()));
                    }
                }
            });
        }
    });
    told.into_inner().expect("nobody panicked").healthy(stage.strike());
}

/// A number in the environment.
fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// Not by the macro: what that prints is kept from sight while a test runs.
fn say(text: &str) {
    std::io::stderr().write_all(format!("accuracy: {text}\n").as_bytes()).ok();
}

/// Fisher and Yates, by the numbers of `SplitMix64`.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    let mut number = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for last in (1..items.len()).rev() {
        let other = number() % (last as u64 + 1);
        items.swap(last, usize::try_from(other).expect("an index"));
    }
}
