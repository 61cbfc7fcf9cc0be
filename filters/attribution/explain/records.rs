//! Records of the log: one JSON object a line, or one alone on many lines.

use serde::Serialize;
use serde_json::Value as Json;

use super::account::{Account, party};
use super::tidy;
use crate::attribution::cause;

/// More records than these are not told one by one.
const SHOWN: usize = 10;

/// Records, and what they come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Records {
    /// Lines that are records.
    pub(super) all: usize,
    /// Those of them that tell of a failure.
    pub(super) failures: usize,
    /// Lines that are none.
    pub(super) others: usize,
    /// The failures, when there are few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) told: Vec<Told>,
    /// How often each cause occurs, the most frequent first.
    pub(super) causes: Vec<Sum>,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Told {
    pub(super) ts: Option<String>,
    pub(super) node: Option<String>,
    /// Method, host and path.
    pub(super) request: Option<String>,
    pub(super) status: Option<u64>,
    #[serde(flatten)]
    pub(super) account: Account,
}

/// How often a cause occurs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Sum {
    pub(super) count: usize,
    /// The latest one.
    pub(super) latest: Told,
}

/// Reads a log; `None` when nothing in it is a record.
pub(super) fn read(text: &str) -> Option<Records> {
    let mut records = Records::default();
    let whole: Option<Json> = if text.trim_start().starts_with(['{', '[']) {
        serde_json::from_str(text).ok()
    } else {
        None
    };
    match whole {
        Some(Json::Array(list)) => list.iter().for_each(|json| records.take(json)),
        Some(Json::Object(object)) if object.get("errors").is_some_and(Json::is_array) => {
            object["errors"].as_array().into_iter().flatten().for_each(|json| records.take(json));
        }
        Some(json) => records.take(&json),
        None => {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                // Whatever gathers logs may have put something before it.
                let json = line.find('{').and_then(|at| serde_json::from_str(&line[at..]).ok());
                match json {
                    Some(json) => records.take(&json),
                    None => records.others += 1,
                }
            }
        }
    }
    records.causes.sort_by_key(|sum| std::cmp::Reverse(sum.count));
    if records.told.len() > SHOWN {
        records.told.clear();
    }
    (records.all > 0).then_some(records)
}

impl Records {
    pub(super) fn unwell(&self) -> bool {
        self.failures > 0
    }

    fn take(&mut self, json: &Json) {
        let Some(told) = Told::of(json) else {
            self.others += 1;
            return;
        };
        self.all += 1;
        let Some(told) = told else { return };
        self.failures += 1;
        if self.told.len() <= SHOWN {
            self.told.push(told.clone());
        }
        // The catalogue is short; a log that is not ours must not make this list long.
        let room = self.causes.len() < 128;
        let known =
            self.causes.iter_mut().find(|sum| sum.latest.account.cause == told.account.cause);
        match known {
            Some(sum) => *sum = Sum { count: sum.count + 1, latest: told },
            None if room => self.causes.push(Sum { count: 1, latest: told }),
            None => {}
        }
    }
}

impl Told {
    /// What an object says: `None` when it is no record, `Some(None)` when nothing failed.
    #[allow(clippy::option_option, reason = "private, and each of the three is told apart at once")]
    fn of(json: &Json) -> Option<Option<Self>> {
        let text = |name: &str| json.get(name).and_then(Json::as_str).map(tidy);
        let id = match json.get("cause")? {
            Json::Null => return json.get("status").map(|_| None),
            Json::String(id) => tidy(id),
            _ => return None,
        };
        let row = cause::find(&id);
        let general = row.map(Account::of_cause).unwrap_or_default();
        let word = |name: &str| json.get(name).and_then(Json::as_str);
        let accused = word("party").and_then(|word| word.parse().ok()).or(general.party);
        // The words of the log, or of the body of an error.
        let says = text("says").or_else(|| text("detail")).unwrap_or(general.says);
        if says.is_empty() {
            return None;
        }
        let request = [text("method"), text("host").zip(text("path")).map(|(h, p)| h + &p)];
        let request: Vec<String> = request.into_iter().flatten().collect();
        Some(Some(Self {
            ts: text("ts").or_else(|| text("time")),
            node: text("node"),
            request: (!request.is_empty()).then(|| request.join(" ")),
            status: json.get("status").and_then(Json::as_u64),
            account: Account {
                cause: Some(id),
                error: text("error"),
                party: accused,
                phase: word("phase").and_then(|word| word.parse().ok()).or(general.phase),
                certainty: word("certainty").and_then(|word| word.parse().ok()),
                scope: word("scope").and_then(|word| word.parse().ok()),
                sent: word("sent").and_then(|word| word.parse().ok()),
                attempts: json
                    .get("attempts")
                    .and_then(Json::as_array)
                    .and_then(|attempts| i64::try_from(attempts.len()).ok())
                    .filter(|attempts| *attempts > 1),
                says,
                who: accused.map_or("not said", party).to_owned(),
                details: None,
                worth_repeating: general.worth_repeating,
                remedy: text("remedy")
                    .or_else(|| text("what_you_should_do"))
                    .unwrap_or(general.remedy),
                reference: text("id").or_else(|| text("ref")),
            },
        }))
    }
}
