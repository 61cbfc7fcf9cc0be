//! An explanation for a person: one fact a line.

use std::fmt::Write as _;

use super::Explanation;
use super::account::Account;
use super::answer::Answer;
use super::chain::{Chain, Hop, Role};
use super::records::{Records, Told};
use crate::attribution::evidence::{Certainty, Phase, Scope, Sent};

pub(super) fn text(explanation: &Explanation) -> String {
    let mut out = String::new();
    for answer in &explanation.answers {
        gap(&mut out);
        self::answer(&mut out, answer);
    }
    if let Some(log) = &explanation.log {
        records(&mut out, log);
    }
    if let Some(word) = &explanation.word {
        let name = word.cause.as_deref().or(word.error.as_deref()).unwrap_or_default();
        line(&mut out, format_args!("{name}"));
        facts(&mut out, word);
        if word.cause.is_some() {
            line(&mut out, format_args!("\n`whodunit causes {name}` tells all about it."));
        }
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes all");
}

fn gap(out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
}

fn answer(out: &mut String, answer: &Answer) {
    if let Some(status) = answer.status {
        let phrase = http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
        line(out, format_args!("The answer: {status} {}", phrase.unwrap_or_default()));
        out.truncate(out.trim_end().len());
        out.push_str("\n\n");
    }
    if let Some(code) = answer.curl {
        line(out, format_args!("curl says ({code}): {}.", curl(code)));
        if answer.status.is_some() {
            let under = answer.request_id.as_deref().map_or_else(
                || "the time and path of this request".to_owned(),
                |id| format!("the id {id}"),
            );
            line(
                out,
                format_args!(
                    "The answer had begun by then, so that no header could tell why. The cause stands in the\n\
                 proxy's log, under {under}."
                ),
            );
        }
        gap(out);
    }
    match &answer.chain {
        Some(chain) => self::chain(out, chain),
        None if answer.broken => out.push_str(
            "There is a Proxy-Status, but it is not well-formed, so that none of it can be believed\n\
             (RFC 8941 section 4.2).\n",
        ),
        None if answer.status.is_some_and(|status| status >= 500) => {
            out.push_str("No proxy on the way says anything of it: there is no Proxy-Status.\n");
            if let Some(server) = &answer.server {
                line(out, format_args!("Who made it calls itself: {server}"));
            }
            out.push_str("What to do: send the request through whodunit, and ask again.\n");
        }
        None if answer.status.is_some() && answer.curl.is_none() => {
            out.push_str("Nothing is wrong with it that a proxy would tell of.\n");
        }
        None => {}
    }
}

/// The errors of `curl` that a proxy's failure shows as.
const fn curl(code: u16) -> &'static str {
    match code {
        5 | 6 => "it could not find the address of the host it was given",
        7 => "it could not connect at all; this is between the client and the first proxy",
        16 | 92 => "the HTTP/2 stream was broken off",
        18 => "the answer was broken off before it was complete",
        28 => "it did not want to wait any longer",
        35 => "TLS with the first proxy could not be set up",
        52 => "the connection was closed without an answer",
        55 | 56 => "the connection was broken off",
        60 => "it does not trust the certificate of the first proxy",
        _ => "the transfer failed",
    }
}

fn chain(out: &mut String, chain: &Chain) {
    if chain.dropped > 0 {
        line(out, format_args!("({} older hops are left out.)", chain.dropped));
    }
    if let [hop] = chain.hops.as_slice() {
        self::hop(out, hop);
        return;
    }
    line(out, format_args!("{} hops answered, from the origin to the client:", chain.hops.len()));
    for (n, hop) in chain.hops.iter().enumerate() {
        write!(out, "\n{}. ", n + 1).expect("a String takes all");
        self::hop(out, hop);
    }
}

fn hop(out: &mut String, hop: &Hop) {
    let Hop { name, account, .. } = hop;
    let status = hop.received_status.map(|status| format!(" ({status})")).unwrap_or_default();
    match hop.role {
        Role::Observer if account.error.is_some() => {
            line(out, format_args!("{name} made this answer itself:"));
            facts(out, account);
        }
        Role::Observer => {
            line(out, format_args!("{name} passed on what it received{status}:"));
            facts(out, account);
        }
        Role::Nearer => {
            line(out, format_args!("{name} answered well{status}; the failure was seen after it."));
        }
        Role::Cleared => {
            line(out, format_args!("{name} is cleared: it passed on what it received{status}."));
            if hop.doubts {
                out.push_str(
                    "   It does not vouch for the hops before it: it was not told to believe them.\n",
                );
            }
        }
        Role::Follower => {
            line(
                out,
                format_args!("{name} made an answer of its own, which follows from the first:"),
            );
            facts(out, account);
        }
        Role::Sound => {
            line(
                out,
                format_args!("{name} passed the answer on{status}; nothing went wrong there."),
            );
        }
    }
}

/// Each fact with its label.
fn facts(out: &mut String, account: &Account) {
    fact(out, "What happened", &account.says);
    let during = account.phase.map(|phase| format!(", {}", during(phase))).unwrap_or_default();
    let cause = account.cause.as_ref().map(|id| format!(" (cause: {id})")).unwrap_or_default();
    fact(out, "Who", &format!("{}{during}{cause}", account.who));
    if let Some(certainty) = account.certainty {
        fact(out, "How sure", sure(certainty));
    }
    if let Some(scope) = account.scope {
        fact(out, "Others", beside(scope));
    }
    if let Some(details) = &account.details {
        fact(out, "Details", details);
    }
    if let Some(sent) = account.sent {
        // Where it helps to send it again, it is good to know that it may be.
        let again = account.worth_repeating && sent == Sent::None;
        let so = if again { ", so sending it again does no harm" } else { "" };
        fact(out, "Request", &format!("{}{so}", self::sent(sent)));
    }
    if let Some(attempts) = account.attempts {
        fact(out, "Attempts", &attempts.to_string());
    }
    fact(out, "What to do", &account.remedy);
    if let Some(reference) = &account.reference {
        fact(out, "Reference", &format!("{reference} (look for it in that proxy's log)"));
    }
}

/// Columns of a line, and of the labels.
const WIDTH: usize = 100;
const MARGIN: usize = 18;

fn fact(out: &mut String, label: &str, value: &str) {
    write!(out, "   {:<15}", format!("{label}:")).expect("a String takes all");
    let mut column = MARGIN;
    for (n, word) in value.split(' ').enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > WIDTH {
            write!(out, "\n{:MARGIN$}", "").expect("a String takes all");
            column = MARGIN;
        } else if n > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}

const fn during(phase: Phase) -> &'static str {
    match phase {
        Phase::Request => "while the request was read",
        Phase::Route => "while it was decided where the request goes",
        Phase::Dns => "while the origin's name was looked up",
        Phase::Connect => "while connecting",
        Phase::Tls => "while TLS was set up",
        Phase::Send => "while the request was sent",
        Phase::Wait => "while waiting for the answer",
        Phase::Receive => "in the middle of the answer",
        Phase::Respond => "while the answer was written to the client",
    }
}

const fn sure(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Proved => "proved: everything that the verdict rests on was seen",
        Certainty::Likely => "likely: a part of the evidence is missing (the log says which)",
        Certainty::Unknown => "unknown: nothing was seen but the failure itself",
        Certainty::Claimed => "claimed: another proxy says so, and it is believed",
    }
}

const fn beside(scope: Scope) -> &'static str {
    match scope {
        Scope::All => {
            "all requests there have failed of late: look for what is set up wrong, or is down"
        }
        Scope::Some => {
            "some requests there fail and some do not: look for too little room, or losses on the way"
        }
        Scope::First => "no other request there failed in the minutes before",
    }
}

const fn sent(sent: Sent) -> &'static str {
    match sent {
        Sent::None => "none of it reached the origin",
        Sent::Partial => "a part of it was sent to the origin",
        Sent::Full => "all of it was sent to the origin, which may have acted on it",
        Sent::Acked => "the origin's machine received all of it, and may have acted on it",
    }
}

fn records(out: &mut String, records: &Records) {
    let others = match records.others {
        0 => String::new(),
        1 => " (one other line is left out)".to_owned(),
        others => format!(" ({others} other lines are left out)"),
    };
    let Records { all, failures, .. } = records;
    match (all, failures) {
        (1, 1) => {}
        (_, 0) => line(out, format_args!("{all} records, none of a failure{others}.")),
        _ => line(out, format_args!("{all} records, {failures} of failures{others}.")),
    }
    for told in &records.told {
        gap(out);
        self::told(out, told);
    }
    if records.told.is_empty() {
        for sum in &records.causes {
            let account = &sum.latest.account;
            let cause = account.cause.as_deref().unwrap_or("no cause");
            gap(out);
            match sum.count {
                1 => line(out, format_args!("Once {cause}:")),
                count => line(out, format_args!("{count} times {cause}; the latest:")),
            }
            self::told(out, &sum.latest);
        }
    }
}

fn told(out: &mut String, told: &Told) {
    let when = told.ts.as_ref().map(|ts| format!("{ts}  ")).unwrap_or_default();
    let node = told.node.as_ref().map(|node| format!("{node}  ")).unwrap_or_default();
    let status = told.status.map(|status| format!(" -> {status}")).unwrap_or_default();
    let request = told.request.as_deref().unwrap_or("a request");
    line(out, format_args!("{when}{node}{request}{status}"));
    facts(out, &told.account);
}
