//! What people send and get every day, through nginx and through us: the same, or different for a
//! reason that stands in the table.

pub(crate) mod apps;
mod clients;
pub(crate) mod events;
mod fuzz;
mod origin;
mod page;
mod pair;
mod row;
mod rows;
mod seen;
pub(crate) mod websocket;

use crate::rig::skip;
use pair::Pair;
use row::Row;

/// The version of nginx that the table was written beside. Where another one is installed, what
/// nginx did in a row that lists a difference may be another thing by now; what we do may not.
const BESIDE: &str = "1.22";

#[test]
fn requests_fare_as_they_do_with_nginx() {
    let Some(pair) = Pair::start() else {
        return skip(
            "everyday::requests_fare_as_they_do_with_nginx",
            "nginx is not installed; `.ci/setup test` installs it where it can",
        );
    };
    let table = rows::all();
    let same_version = pair.version.starts_with(BESIDE);
    let wrong: Vec<String> =
        table.iter().filter_map(|row| judge(row, &pair, same_version)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

/// What is wrong with what was seen, if anything.
fn judge(row: &Row, pair: &Pair, same_version: bool) -> Option<String> {
    let _at_hand = AtHand(row.name);
    let (theirs, ours) = (pair.by_nginx(row), pair.by_us(row));
    if let Some(status) = row.comes {
        let answer = seen::fact(&ours, "answer");
        assert!(answer.starts_with(&status.to_string()), "{}: {answer}", row.name);
    }
    let found = seen::differences(&theirs, &ours);
    let listed = &row.differences;
    let fits = if same_version || listed.is_empty() {
        found == *listed
    } else {
        listed.iter().all(|listed| seen::fact(&ours, &listed.what) == listed.ours)
    };
    let show = |all: &[row::Difference]| {
        all.iter().map(|d| "\n    ".to_owned() + &d.to_string()).collect::<String>()
    };
    (!fits).then(|| format!("{}:\n  listed:{}\n  found:{}", row.name, show(listed), show(&found)))
}

#[test]
fn each_row_has_a_name_and_each_difference_a_reason() {
    let table = rows::all();
    let mut names = std::collections::HashSet::new();
    for row in &table {
        assert!(names.insert(row.name), "two rows are called {}", row.name);
        assert_eq!(row.differences.is_empty(), row.why.is_empty(), "{}: a reason each", row.name);
    }
}

/// Says which row it was when something fails in the middle of one.
struct AtHand(&'static str);

impl Drop for AtHand {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the row at hand: {}", self.0);
        }
    }
}
