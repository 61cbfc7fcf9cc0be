//! How sure a verdict is: no surer than its evidence.

use super::*;
use crate::attribution::evidence::Value;

/// Rows that are never proved, each with the reason.
const NEVER_PROVED: &[(&str, &str)] =
    &[("next_hop_error", "it is another proxy's word, and says so: claimed")];

/// What lies in the failure or the exchange itself and so cannot be withheld.
const INHERENT: &[(Key, &str)] = &[
    (Key::Status, "an answer has a status"),
    (Key::AlertId, "an alert has a number"),
    (Key::ErrorCode, "the end of a stream or of a connection has a code"),
    (Key::Left, "the fault says whether the other end closed or reset"),
    (Key::During, "the failure has a phase"),
    (Key::IdleMs, "a reused connection has been idle for some time, and be it none"),
    (Key::Written, "the exchange counts what was written"),
    (Key::InnerNode, "without it the row does not hold"),
];

/// What the exchange holds as well, so that it has to be withheld there too.
const HELD: &[Key] = &[Key::Upstream, Key::Address, Key::WaitedMs];

/// What a row is told from its neighbour by: without it the neighbour is the verdict.
const DISTINGUISHING: &[Key] = &[
    Key::AddressGone,
    Key::SmallerAnswered,
    Key::Unacked,
    Key::Retransmits,
    Key::OutOfOrder,
    Key::PacketsLost,
    Key::Acknowledged,
    Key::LooksLike,
];

/// What shows, for each cause that accuses the network, that it was the network: something that was
/// seen of it, and not only that something was not seen.
const POSITIVE: &[(&str, &[Key])] = &[
    // The name server itself says so.
    ("dns_error", &[Key::Rcode]),
    // It was asked, and what was waited for is measured.
    ("dns_timeout", &[Key::Resolver]),
    // The system tells of a packet that refused the connection.
    ("connect_reset", &[Key::Errno]),
    ("connect_unroutable", &[Key::Errno]),
    // Packets were sent, and sent again, and nothing else got through either.
    ("connect_timeout", &[Key::Retransmits, Key::SilentLately]),
    // Packets were sent, and sent again, and not acknowledged.
    ("tls_timeout", &[Key::PacketsLost]),
    ("response_black_hole", &[Key::OutOfOrder, Key::PacketsLost]),
    ("request_black_hole", &[Key::Unacked]),
    ("request_unacknowledged", &[Key::Unacked]),
];

/// The witness of a row without one piece of its evidence; `None` if it cannot be withheld.
fn withheld(row: &Row, key: Key) -> Option<Exchange> {
    let mut exchange = (row.witness)();
    let there = evidence(&mut exchange).is_some_and(|evidence| {
        let there = evidence.find(key).is_some();
        evidence.remove(key);
        there
    });
    if HELD.contains(&key) {
        exchange.upstream = None;
        exchange.times.wait = None;
        if let Some(attempt) = exchange.last_attempt_mut() {
            attempt.took = None;
        }
    }
    there.then_some(exchange)
}

#[test]
fn every_row_is_reached_by_its_own_witness_and_proved_by_its_evidence() {
    for row in CATALOGUE.iter() {
        let verdict = verdict(&(row.witness)());
        assert_eq!(verdict.cause, *row);
        assert_eq!(verdict.party, row.party, "{row:?}");
        assert_eq!(verdict.missing, [], "{row:?}");
        let never = NEVER_PROVED.iter().any(|(id, _)| *id == row.id);
        assert_eq!(verdict.certainty == Certainty::Proved, !never, "{row:?}");
        assert!(!row.proof.is_empty(), "{row:?}: nothing is proved by nothing");
    }
}

#[test]
fn without_any_one_piece_of_proof_a_verdict_is_only_likely_and_says_what_is_missing() {
    let provable = |row: &&Cause| !NEVER_PROVED.iter().any(|(id, _)| *id == row.id);
    for row in CATALOGUE.iter().filter(provable) {
        for key in row.proof {
            let Some(exchange) = withheld(row, *key) else {
                let inherent = INHERENT.iter().any(|(inherent, _)| inherent == key);
                assert!(inherent, "{row:?}: the witness does not show {key}");
                continue;
            };
            let verdict = verdict(&exchange);
            if verdict.cause != *row {
                assert!(DISTINGUISHING.contains(key), "{row:?} without {key}: {:?}", verdict.cause);
                continue;
            }
            assert_eq!(verdict.certainty, Certainty::Likely, "{row:?} without {key}");
            assert_eq!(verdict.missing, [*key], "{row:?}");
        }
    }
}

#[test]
fn a_likely_verdict_claims_no_more_than_a_proved_one() {
    for row in CATALOGUE.iter() {
        let proved = verdict(&(row.witness)());
        for key in row.proof {
            let Some(exchange) = withheld(row, *key) else { continue };
            let likely = verdict(&exchange);
            if likely.cause != *row {
                continue;
            }
            for (likely, proved) in
                [(&likely.says, &proved.says), (&likely.details, &proved.details)]
            {
                assert!(is_part(likely, proved), "{row:?} without {key}: {likely} / {proved}");
            }
        }
    }
}

/// Whether every word of `less` stands in `more`, in the same order. What is called unknown claims
/// nothing.
fn is_part(less: &str, more: &str) -> bool {
    let mut unknown: Vec<String> = Key::ALL
        .iter()
        .map(|key| format!("an unknown {}", key.as_str().replace('_', " ")))
        .collect();
    unknown.sort_by_key(|words| std::cmp::Reverse(words.len()));
    let known = unknown.iter().fold(less.to_owned(), |less, words| less.replace(words, ""));
    let bare = |word: &str| word.trim_matches([',', '.', ';', ':', '(', ')', '`']).to_owned();
    let mut rest = more.split_whitespace().map(bare);
    let mut claimed = known.split_whitespace().map(bare).filter(|word| !word.is_empty());
    claimed.all(|word| rest.any(|other| other == word))
}

#[test]
fn nobody_accuses_the_network_without_having_seen_something_of_it() {
    let accusing = CATALOGUE.iter().filter(|row| row.party == Party::Network);
    for row in accusing {
        let positive = POSITIVE.iter().find(|(id, _)| *id == row.id);
        let (_, positive) = positive.unwrap_or_else(|| panic!("{row:?}: by what was it seen?"));
        assert!(positive.iter().all(|key| row.proof.contains(key)), "{row:?} needs {positive:?}");
        for key in *positive {
            // Not there, or there and nothing.
            let mut none = (row.witness)();
            if let Some(evidence) = evidence(&mut none) {
                match evidence.find(*key) {
                    Some(Value::Number(_)) => evidence.set(*key, 0_u64),
                    Some(Value::Flag(_)) => evidence.set(*key, false),
                    _ => evidence.remove(*key),
                }
            }
            for exchange in [Some(none), withheld(row, *key)].into_iter().flatten() {
                let verdict = verdict(&exchange);
                let accused = verdict.party == Party::Network;
                let sure = verdict.certainty == Certainty::Proved;
                assert!(!(accused && sure), "{row:?} without {key}: {:?}", verdict.cause);
            }
        }
    }
    for (id, _) in POSITIVE {
        let row = find(id).unwrap_or_else(|| panic!("no row {id}"));
        assert_eq!(row.party, Party::Network, "{id} does not accuse the network");
    }
}
