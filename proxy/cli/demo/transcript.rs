//! The transcript of a demo.

use std::fmt::Write as _;
use std::time::Duration;

use whodunit_filters::attribution::explain::explain;

use super::play::{Outcome, Said};
use super::scene::{LARGE, LARGE_BYTES, Manner, Scene};
use super::stage::Stage;

/// A scene as it is told.
pub(super) struct Told {
    pub(super) text: String,
    /// Whether the verdict is the one expected.
    pub(super) expected: bool,
}

macro_rules! line {
    ($out:expr, $($format:tt)*) => {
        writeln!($out, $($format)*).expect("a String takes all")
    };
}

/// What is about to be seen.
pub(super) fn opening(stage: &Stage) -> String {
    format!(
        "A client, a proxy at http://{}, and behind it an origin that fails on demand.\n\
         Every request below is real. Of each failure the proxy says who it was and why, in the\n\
         field Proxy-Status of its answer; `whodunit explain` says the same in plain words.\n",
        stage.proxy
    )
}

/// One scene.
pub(super) fn scene(n: usize, scene: &Scene, outcome: &Result<Outcome, String>) -> Told {
    let mut out = String::new();
    line!(out, "\n{:-<100}", format!("-- {n}. {} ", scene.title));
    request(&mut out, scene);
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => {
            line!(out, "!! this scene could not be played: {why}");
            return Told { text: out, expected: false };
        }
    };
    answer(&mut out, scene, outcome);
    let verdict = match &outcome.said {
        Said::Nothing => None,
        Said::Header(field) => explain(field),
        Said::Log(line) => explain(line),
    };
    out.push('\n');
    match verdict {
        Some(verdict) => out.push_str(&verdict.text()),
        None => out.push_str("Nothing to explain.\n"),
    }
    let cause = outcome.cause();
    let expected = match &cause {
        Some(cause) => scene.causes.contains(&cause.as_str()),
        None => scene.causes.is_empty() && outcome.answer.status() == 200 && outcome.answer.whole,
    };
    if !expected {
        let wanted =
            if scene.causes.is_empty() { "no error".to_owned() } else { scene.causes.join(" or ") };
        let got = cause.unwrap_or_else(|| "no cause".to_owned());
        line!(out, "!! expected was {wanted}, and it says {got}");
    }
    Told { text: out, expected }
}

fn request(out: &mut String, scene: &Scene) {
    for sent in scene.request.lines() {
        let large = format!("xxxx… ({LARGE_BYTES} bytes)");
        line!(out, "> {}", sent.replace(LARGE, &large));
    }
    match scene.manner {
        Manner::Whole => {}
        Manner::Unfinished => line!(out, "  … and the header never ends"),
        Manner::Leaving => line!(out, "  … and the client leaves after 300 ms"),
        Manner::Again | Manner::Rested => {
            line!(out, "  … after an earlier one that was answered well");
        }
    }
}

fn answer(out: &mut String, scene: &Scene, outcome: &Outcome) {
    let answer = &outcome.answer;
    match answer.head.lines().next() {
        Some(status) => line!(out, "< {status}"),
        None if scene.manner == Manner::Leaving => line!(out, "< (nobody was left to be answered)"),
        None => line!(out, "< (no answer)"),
    }
    if let Said::Header(field) = &outcome.said {
        line!(out, "< Proxy-Status: {field}");
    }
    if !answer.head.is_empty() && !answer.whole {
        line!(out, "< (broken off after {} bytes of the body)", answer.body);
    }
    if let Said::Log(_) = &outcome.said {
        line!(out, "\nToo late for a field in the header; the proxy's log says:");
    }
}

/// What it came to.
pub(super) fn closing(scenes: &[Scene], unlike: &[&str], took: Duration) -> String {
    let failures = scenes.iter().filter(|scene| !scene.causes.is_empty()).count();
    let mut out = String::new();
    let seconds = took.as_secs_f64();
    line!(out, "\n{:-<100}", "");
    if unlike.is_empty() {
        line!(
            out,
            "{} requests, {failures} failures, each traced to its cause, in {seconds:.1} s.",
            scenes.len()
        );
    } else {
        line!(out, "{} of {} requests did not end as expected:", unlike.len(), scenes.len());
        for title in unlike {
            line!(out, "  {title}");
        }
    }
    out
}

/// What to try next.
pub(super) fn addresses(stage: &Stage) -> String {
    let Stage { proxy, admin, lab, .. } = stage;
    format!(
        "\nStill running, until Ctrl-C. In another terminal:\n\
         \n  curl -i http://{proxy}/fault/origin-reset                        one failure\
         \n  curl -si http://{proxy}/fault/origin-slow | whodunit explain     in plain words\
         \n  curl {}                                   all failures there are\
         \n  curl {admin}/metrics                             the proxy's counters\
         \n  curl {admin}/api/v1/errors                       its latest errors\n",
        lab.url("/")
    )
}
