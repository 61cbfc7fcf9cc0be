//! What must hold for every exchange, whatever a test is about:
//!
//! * an error of our own carries a `Proxy-Status` that parses, with its cause, party and id;
//! * the same id stands in header, exactly one record of the log, and body, unless a route has one
//!   of its own;
//! * the counter of that cause moves by exactly one, and no other;
//! * the counter of requests moves by one for each record;
//! * nothing is told that disclosure hides, and no secret stands in the log;
//! * what the origin sent is passed on byte for byte, but for what belongs to one hop.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sfv::{BareItem, List, ListEntry, Parser, Version};

use super::message::{self, End, Fields, Response};
use super::metrics::Metrics;
use super::proxy::Proxy;
use super::until;

/// Requests carry it where secrets stand; it must not appear in anything the proxy writes.
pub(crate) const SECRET: &str = "hunter2-Tr0ub4dor";

/// The parameters that a client is told in any case.
const MINIMAL: [&str; 5] = ["error", "received-status", "cause", "party", "ref"];
/// Fields that belong to one hop (RFC 9110 section 7.6.1), and what a gateway adds.
const ONE_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "via",
    "proxy-status",
];

/// One exchange as client and operator saw it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// `None` when the connection ended without an answer.
    pub(crate) response: Option<Response>,
    /// Its record.
    pub(crate) record: Value,
    /// Our own member of `Proxy-Status`.
    pub(crate) member: Option<Member>,
}

/// One member of `Proxy-Status`.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) node: String,
    params: Vec<(String, String)>,
}

impl Member {
    /// A parameter as text, without the quotes of a String.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Told {
    /// The response; the test fails if there was none.
    pub(crate) fn answer(&self) -> &Response {
        self.response.as_ref().unwrap_or_else(|| panic!("no answer; the record: {}", self.record))
    }

    /// The status of the response; the test fails if there was none.
    pub(crate) fn status(&self) -> u16 {
        self.answer().status
    }

    /// A text of the record, by its place as in `evidence.setting`; empty when it is not there.
    pub(crate) fn text(&self, place: &str) -> &str {
        self.value(place).as_str().unwrap_or_default()
    }

    /// Anything of the record, by its place.
    pub(crate) fn value(&self, place: &str) -> &Value {
        place.split('.').fold(&self.record, |value, key| match key.parse::<usize>() {
            Ok(index) => &value[index],
            Err(_) => &value[key],
        })
    }
}

/// Reads `Proxy-Status` (RFC 9209) with the types of RFC 8941 alone.
pub(crate) fn members(fields: &Fields) -> Vec<Member> {
    let Some(field) = fields.text("proxy-status") else { return Vec::new() };
    let list: List = Parser::new(&field)
        .with_version(Version::Rfc8941)
        .parse()
        .unwrap_or_else(|error| panic!("`Proxy-Status: {field}` does not parse: {error}"));
    let text = |item: &BareItem| match item {
        BareItem::Integer(number) => number.to_string(),
        BareItem::String(text) => text.as_str().to_owned(),
        BareItem::Token(token) => token.as_str().to_owned(),
        BareItem::Boolean(flag) => flag.to_string(),
        other => panic!("`Proxy-Status: {field}` holds {other:?}"),
    };
    list.iter()
        .map(|entry| {
            let ListEntry::Item(item) = entry else { panic!("an inner list in {field}") };
            let params = &item.params;
            Member {
                node: text(&item.bare_item),
                params: params.iter().map(|(k, v)| (k.as_str().to_owned(), text(v))).collect(),
            }
        })
        .collect()
}

/// Checks these exchanges; `before` is what had been counted before them.
pub(super) fn kept(
    proxy: &Proxy,
    responses: Vec<Option<Response>>,
    records: &[Value],
    before: &Metrics,
) -> Vec<Told> {
    let mut expected = before.causes();
    for cause in records.iter().filter_map(|record| record["cause"].as_str()) {
        *expected.entry(cause.to_owned()).or_default() += 1;
    }
    until(&format!("each cause to be counted once: {expected:?}"), || {
        (proxy.metrics().causes() == expected).then_some(())
    });
    let metrics = proxy.metrics();
    let requests = |metrics: &Metrics| metrics.sum("whodunit_requests_total", &[]).round();
    let more = requests(&metrics) - requests(before);
    assert_eq!(more.to_string(), records.len().to_string(), "requests counted: {metrics:#?}");
    for record in records.iter().filter(|record| !record["cause"].is_null()) {
        let text = |name: &str| record[name].as_str().unwrap_or_default();
        let generated = record["generated"].to_string();
        // The phase of a cause is the catalogue's there, where many have but one.
        let labels = [
            ("cause", text("cause")),
            ("party", text("party")),
            ("upstream", text("upstream")),
            ("generated", generated.as_str()),
        ];
        assert!(metrics.sum("whodunit_errors_total", &labels) > 0.5, "{labels:?}: {metrics:#?}");
    }
    let alone = records.len() - responses.len();
    let told = records.iter().zip(std::iter::repeat_n(None, alone).chain(responses));
    told.map(|(record, response)| exchange(proxy, response, record.clone())).collect()
}

fn exchange(proxy: &Proxy, response: Option<Response>, record: Value) -> Told {
    let Some(answer) = &response else { return Told { response, record, member: None } };
    let ours = members(&answer.fields).into_iter().rfind(|m| m.node == proxy.settings.node());
    let whole = serde_json::to_string(&record).expect("it was parsed");
    assert_eq!(record["status"], answer.status, "the status in {whole}");
    if answer.http2 {
        assert_eq!(record["protocol"], "HTTP/2", "the protocol in {whole}");
    } else {
        assert_eq!(answer.minor, 1, "a server sends its own version (RFC 9110 section 2.5)");
    }
    let generated = record["generated"] == true;
    // Whoever speaks gRPC looks for a status of its own, in an answer that is always 200.
    let grpc = answer.fields.text("grpc-message").filter(|_| generated);
    if generated && answer.status >= 400 || answer.status >= 500 || grpc.is_some() {
        let member = ours.as_ref().unwrap_or_else(|| panic!("no verdict on {answer:?}"));
        for name in ["cause", "party"] {
            assert_eq!(member.param(name), record[name].as_str(), "{name} of {whole}");
        }
        assert_eq!(member.param("ref"), record["id"].as_str(), "the id of {whole}");
        assert_eq!(member.param("error"), record["error"].as_str(), "the type of {whole}");
        assert_eq!(member.param("error").is_some(), generated, "who made {answer:?}");
        assert_eq!(member.param("received-status").is_some(), !generated, "who made {answer:?}");
        let id = record["id"].as_str().expect("every record has an id");
        let same = |r: &&Value| r["id"] == id && r["node"] == record["node"];
        assert_eq!(proxy.log.records().iter().filter(same).count(), 1, "records with id {id}");
        // The body of a route's own answer is the configuration's.
        let setting = record["evidence"]["setting"].as_str();
        let fixed = setting.is_some_and(|setting| setting.ends_with(".respond"));
        if generated && !fixed && record["method"] != "HEAD" {
            let told = grpc.unwrap_or_else(|| answer.text());
            assert!(told.contains(id), "the id {id} is missing in {told:?}");
        }
        if proxy.settings.is_discreet() {
            discreet(proxy, member, answer);
        }
    } else {
        // What an answer of the origin's own tells beyond its header, only the record can tell.
        let after = ["origin_early_response", "origin_expects_tls"];
        let late = after.iter().any(|id| record["cause"] == *id) && answer.status >= 400
            || answer.status == 101;
        assert!(record["cause"].is_null() || !answer.whole() || late, "a good answer: {whole}");
        assert!(ours.is_none() || !late, "a member on {answer:?}");
    }
    if !generated && answer.whole() {
        untouched(proxy, &record, answer);
    }
    Told { response, record, member: ours }
}

fn discreet(proxy: &Proxy, member: &Member, answer: &Response) {
    for (name, _) in &member.params {
        assert!(MINIMAL.contains(&name.as_str()), "`{name}` is told to a stranger");
    }
    let told = format!("{:?} {}", answer.fields, answer.text());
    for hidden in &proxy.settings.hidden {
        assert!(!told.contains(hidden.as_str()), "`{hidden}` is told to a stranger: {told}");
    }
}

/// The response is one of those that the origins sent.
fn untouched(proxy: &Proxy, record: &Value, answer: &Response) {
    let method = record["method"].as_str().unwrap_or_default();
    let sent: Vec<Response> = proxy
        .settings
        .journals
        .iter()
        .flat_map(super::origin::Journal::entries)
        .filter(|entry| entry.request.method == method)
        .filter_map(|entry| message::whole_response(&entry.answer, method))
        .collect();
    if proxy.settings.journals.is_empty() {
        return;
    }
    let same = |sent: &Response| {
        let mut came = lasting(&answer.fields);
        let mut told = lasting(&sent.fields);
        if answer.http2 {
            for (name, _) in &mut told {
                name.make_ascii_lowercase();
            }
            told.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        // A gateway with a clock dates what came without a date (RFC 9110 section 6.6.1).
        if !told.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
            came.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
        }
        sent.status == answer.status
            && (answer.http2 || sent.reason == answer.reason)
            && sent.body == answer.body
            && told == came
    };
    assert!(sent.iter().any(same), "changed on its way: {answer:#?}\nthe origin sent: {sent:#?}");
}

/// The fields that do not belong to one hop. The order of fields with different names means
/// nothing (RFC 9110 section 5.3); that of the others is kept.
pub(crate) fn lasting(fields: &Fields) -> Vec<(String, Vec<u8>)> {
    let mut lasting = fields.0.clone();
    lasting.retain(|(name, _)| !ONE_HOP.contains(&name.to_ascii_lowercase().as_str()));
    lasting.sort_by(|(a, _), (b, _)| a.cmp(b));
    lasting
}

/// At the end of a test: every error has its record and every record was counted, once; no record
/// has another one's id; no secret was written; nothing panicked.
pub(super) fn balanced(proxy: &Proxy) {
    until("as many records as errors counted", || {
        let mut recorded: BTreeMap<String, u64> = BTreeMap::new();
        for record in proxy.log.records() {
            if let Some(cause) = record["cause"].as_str() {
                *recorded.entry(cause.to_owned()).or_default() += 1;
            }
        }
        let mut counted = proxy.metrics().causes();
        counted.retain(|_, count| *count > 0);
        (recorded == counted).then_some(())
    });
    let records = proxy.log.records();
    let ids: BTreeSet<String> = records.iter().map(|record| record["id"].to_string()).collect();
    assert_eq!(ids.len(), records.len(), "one record for each id: {records:#?}");
    let text = proxy.log.text();
    assert!(!text.contains(SECRET), "a secret stands in the log: {text}");
    let said = proxy.said();
    assert!(!said.contains(SECRET), "a secret was said: {said}");
    assert!(!said.contains("panicked at"), "{said}");
}

/// Whether a response was broken off.
pub(crate) fn broken_off(answer: &Response) -> bool {
    matches!(answer.end, End::Truncated | End::Reset)
}
