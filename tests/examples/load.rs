//! `loadtest.yaml` before a service that breaks now and then, under h2load: at the end each error
//! stands under its cause, in the metrics, in the log, and in what `explain` makes of it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::local::Local;
use crate::everyday::apps;
use crate::rig::certificates::Authority;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::proxy::BINARY;
use crate::rig::skip;

/// Of ten requests one fails, and one is answered by half.
fn service() -> Origin {
    let count = AtomicUsize::new(0);
    let good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
    Origin::new(move |mut connection: Conversation| {
        while connection.request().is_some() {
            match count.fetch_add(1, Ordering::Relaxed) % 10 {
                3 => connection.send("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
                7 => return connection.send(&good[..good.len() - 2]),
                _ => connection.send(good),
            }
        }
    })
}

#[test]
fn a_test_under_load_ends_with_its_errors_by_cause() {
    let test = "examples::load::a_test_under_load_ends_with_its_errors_by_cause";
    let local = Local::before("loadtest", Arc::new(Authority::new("root")), |_| {
        let origin = service();
        Ok((origin.endpoint.clone(), Box::new(origin)))
    });
    let local = local.expect("such a service can always be had");
    let url = format!("http://{}/", local.proxy.address());
    let mut h2load = Command::new("h2load");
    let told = match apps::run(h2load.args(["-n", "1000", "-c", "10", "-m", "10", &url])) {
        Ok(told) => told.said,
        Err(why) => return skip(test, &why),
    };
    assert!(told.contains("1000 done, 800 succeeded, 200 failed, 100 errored"), "{told}");
    let records = local.proxy.log.wait(1000);
    assert_eq!(records.len(), 1000);
    let timed = |record: &&Value| record["times_ms"]["total"].is_number();
    assert_eq!(records.iter().filter(timed).count(), 1000, "{:#}", records[0]);

    let causes = [("origin_error", 100), ("response_truncated", 100)];
    let causes: BTreeMap<String, u64> = causes.map(|(id, count)| (id.to_owned(), count)).into();
    let mut counted = local.proxy.metrics().causes();
    counted.retain(|_, count| *count > 0);
    assert_eq!(counted, causes);
    let log = local.proxy.log.path();
    let explained = apps::run(Command::new(BINARY).args(["explain", "--json"]).arg(log));
    let said = explained.expect("the binary can be run").said;
    let explained: Value = serde_json::from_str(&said).expect("it is JSON");
    let summed = explained["log"]["causes"].as_array().expect("a list of them").iter();
    let summed = summed.map(|one| (one["latest"]["cause"].as_str(), one["count"].as_u64()));
    let summed: BTreeMap<String, u64> = summed
        .map(|(cause, count)| (cause.expect("each has an id").to_owned(), count.expect("a number")))
        .collect();
    assert_eq!(summed, causes, "{said}");
}
