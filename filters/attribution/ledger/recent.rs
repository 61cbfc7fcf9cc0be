//! The recent errors.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::locked;
use crate::attribution::evidence::Party;
use crate::attribution::record::Record;
use crate::units::Span;

/// The last records, bounded by number and by bytes.
#[derive(Debug, Default)]
pub(super) struct Recent {
    kept: Mutex<Kept>,
    max_records: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<(Arc<Record>, usize)>,
    bytes: usize,
}

/// Which records are asked for. A record must match all that is set; the default matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Not before this time.
    pub since: Option<SystemTime>,
    /// Not after this time.
    pub until: Option<SystemTime>,
    /// With this cause.
    pub cause: Option<String>,
    /// Whose fault it is.
    pub party: Option<Party>,
    /// Of this upstream.
    pub upstream: Option<String>,
    /// Asked of this host, in any case.
    pub host: Option<String>,
    /// With a path that begins so.
    pub path: Option<String>,
    /// Answered with this status.
    pub status: Option<u16>,
    /// From this client: its address, with or without the port.
    pub client: Option<String>,
    /// With this id.
    pub id: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl Query {
    /// Sets one condition as it is written in a URL's query. `since` and `until` take a time by
    /// RFC 3339 or how long ago it was, such as `15m`. An empty value sets nothing.
    ///
    /// # Errors
    /// When there is no such condition, or the value does not fit: what is wrong, in words.
    pub fn set(&mut self, name: &str, value: &str, now: SystemTime) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        let text = || Some(value.to_owned());
        let unfit = |wants: &str| format!("`{name}` must be {wants}, not `{value}`");
        match name {
            "since" | "until" => {
                let time = time(value, now).ok_or_else(|| {
                    unfit("a time such as 2026-11-20T04:21:07Z, or how long ago it was such as 15m")
                })?;
                *(if name == "since" { &mut self.since } else { &mut self.until }) = Some(time);
            }
            "cause" => self.cause = text(),
            "party" => {
                let party = value.parse().map_err(|()| {
                    unfit(&Party::ALL.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(", "))
                })?;
                self.party = Some(party);
            }
            "upstream" => self.upstream = text(),
            "host" => self.host = text(),
            "path" => self.path = text(),
            "status" => self.status = Some(value.parse().map_err(|_| unfit("a number"))?),
            "client" => self.client = text(),
            "id" => self.id = text(),
            "limit" => self.limit = Some(value.parse().map_err(|_| unfit("a number"))?),
            _ => return Err(format!("there is no condition `{name}`")),
        }
        Ok(())
    }

    /// Whether a record is asked for.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        fn fits<T: ?Sized>(wanted: Option<&T>, test: impl FnOnce(&T) -> bool) -> bool {
            wanted.is_none_or(test)
        }
        fits(self.since.as_ref(), |since| record.at >= *since)
            && fits(self.until.as_ref(), |until| record.at <= *until)
            && fits(self.id.as_deref(), |id| record.id == id)
            && fits(self.cause.as_deref(), |cause| record.cause == Some(cause))
            && fits(self.party.as_ref(), |party| record.party == Some(*party))
            && fits(self.status.as_ref(), |status| record.status == *status)
            && fits(self.upstream.as_deref(), |name| record.upstream.as_deref() == Some(name))
            && fits(self.host.as_deref(), |host| record.host.eq_ignore_ascii_case(host))
            && fits(self.path.as_deref(), |path| record.path.starts_with(path))
            && fits(self.client.as_deref(), |client| {
                let address = record.client.rsplit_once(':').map_or("", |(address, _)| address);
                record.client == client
                    || address == client
                    || address.trim_matches(['[', ']']) == client
            })
    }
}

impl Recent {
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        Self { kept: Mutex::default(), max_records, max_bytes }
    }

    /// The oldest go until there is room.
    pub(super) fn keep(&self, record: Arc<Record>) {
        let weight = record.weight();
        if weight > self.max_bytes || self.max_records == 0 {
            return;
        }
        let mut gone = Vec::new();
        let mut kept = locked(&self.kept);
        while kept.records.len() >= self.max_records || kept.bytes + weight > self.max_bytes {
            let Some((old, weight)) = kept.records.pop_front() else { break };
            kept.bytes -= weight;
            gone.push(old);
        }
        kept.bytes += weight;
        kept.records.push_back((record, weight));
        // What is gone is freed after the lock is.
        drop(kept);
        drop(gone);
    }

    pub(super) fn find(&self, query: &Query) -> Vec<Arc<Record>> {
        let all: Vec<_> =
            locked(&self.kept).records.iter().rev().map(|(record, _)| Arc::clone(record)).collect();
        all.into_iter()
            .filter(|record| query.matches(record))
            .take(query.limit.unwrap_or(usize::MAX))
            .collect()
    }
}

fn time(value: &str, now: SystemTime) -> Option<SystemTime> {
    if let Ok(span) = value.parse::<Span>() {
        return now.checked_sub(span.0);
    }
    value.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::attribution::diagnosis::Diagnosis;
    use crate::attribution::exchange::{Exchange, RequestFacts};
    use crate::attribution::id::RequestId;
    use crate::attribution::redact::Redact;

    fn record(number: u64, path: &str) -> Arc<Record> {
        let id = format!("request-{number}");
        let mut exchange = Exchange::begin(RequestId::parse(id.as_bytes()).expect("well-formed"));
        exchange.began = UNIX_EPOCH + Duration::from_secs(number);
        exchange.upstream = Some("web".into());
        exchange.upstream_status = Some(503);
        exchange.request = Some(Box::new(RequestFacts {
            host: "App.example.net".into(),
            path: path.into(),
            client: "[2001:db8::1]:4711".into(),
            ..RequestFacts::default()
        }));
        let diagnosis = Diagnosis::of(&exchange);
        Arc::new(Record::of(&exchange, diagnosis.as_ref(), "n", 503, &Redact::default()))
    }

    fn ids(recent: &Recent, conditions: &[(&str, &str)]) -> Vec<String> {
        let mut query = Query::default();
        for (name, value) in conditions {
            query.set(name, value, UNIX_EPOCH + Duration::from_secs(10)).expect("a condition");
        }
        recent.find(&query).iter().map(|record| record.id.clone()).collect()
    }

    #[test]
    fn conditions_select() {
        let recent = Recent::new(10, 1 << 20);
        recent.keep(record(1, "/a/b"));
        recent.keep(record(2, "/c"));
        let both = ["request-2", "request-1"];
        for (name, value) in [
            ("since", "9s"),
            ("until", "1970-01-01T00:00:02Z"),
            ("cause", "origin_error"),
            ("party", "origin"),
            ("upstream", "web"),
            ("host", "app.example.net"),
            ("path", "/"),
            ("status", "503"),
            ("client", "2001:db8::1"),
            ("client", "[2001:db8::1]"),
            ("client", "[2001:db8::1]:4711"),
            ("limit", "2"),
            ("limit", ""),
        ] {
            assert_eq!(ids(&recent, &[(name, value)]), both, "{name}={value}");
        }
        for (name, value) in [
            ("until", "10s"),
            ("since", "1970-01-01T00:00:02.001Z"),
            ("cause", "origin_slow"),
            ("party", "client"),
            ("upstream", "api"),
            ("host", "example.net"),
            ("path", "/d"),
            ("status", "502"),
            ("client", "2001"),
            ("id", "request-3"),
            ("limit", "0"),
        ] {
            assert!(ids(&recent, &[(name, value)]).is_empty(), "{name}={value}");
        }
        assert_eq!(ids(&recent, &[("path", "/a"), ("status", "503")]), ["request-1"]);
        assert_eq!(ids(&recent, &[("limit", "1")]), ["request-2"]);
        let mut query = Query::default();
        for (name, value) in
            [("since", "yesterday"), ("party", "nobody"), ("status", "5xx"), ("x", "y")]
        {
            assert!(query.set(name, value, UNIX_EPOCH).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let recent = Recent::new(3, 1 << 20);
        (0..5).for_each(|number| recent.keep(record(number, "/")));
        assert_eq!(ids(&recent, &[]), ["request-4", "request-3", "request-2"]);

        let weight = record(10, "/").weight();
        let recent = Recent::new(100, 4 * weight);
        (10..20).for_each(|number| recent.keep(record(number, "/")));
        assert_eq!(ids(&recent, &[]).len(), 4);
        recent.keep(record(99, &"x".repeat(1500)));
        assert_eq!(ids(&recent, &[("limit", "1")]), ["request-99"]);
        assert!(ids(&recent, &[]).len() < 4);
        Recent::new(9, weight - 1).keep(record(10, "/"));
    }
}
