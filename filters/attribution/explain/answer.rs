//! Answers, as `curl` prints them.

use serde::Serialize;

use super::chain::Chain;
use super::tidy;

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    /// What the proxies on the way say; `None` when they say nothing.
    #[serde(flatten)]
    pub(super) chain: Option<Chain>,
    /// Whether there is a `Proxy-Status` that cannot be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) broken: bool,
    /// The `Server` field.
    pub(super) server: Option<String>,
    /// The request's id, as `X-Request-Id` has it.
    pub(super) request_id: Option<String>,
    /// What `curl` says went wrong with it: its exit code.
    pub(super) curl: Option<u16>,
}

/// More answers than these are not told of.
const MAX: usize = 32;

impl Answer {
    pub(super) fn of(chain: Chain) -> Self {
        Self { chain: Some(chain), ..Self::default() }
    }

    pub(super) fn unwell(&self) -> bool {
        self.status.is_some_and(|status| status >= 500)
            || self.curl.is_some()
            || self.chain.as_ref().is_some_and(Chain::unwell)
    }
}

/// An answer being read.
#[derive(Default)]
struct Draft {
    answer: Answer,
    field: Option<String>,
    last: Last,
}

/// What the line before was.
#[derive(Default, PartialEq)]
enum Last {
    /// A field that matters.
    Field,
    /// Any other one.
    #[default]
    Other,
}

impl Draft {
    fn line(&mut self, line: &str) {
        if line.starts_with([' ', '\t']) {
            // A terminal, or an old server, has folded the line.
            if let (Last::Field, Some(field)) = (&self.last, &mut self.field) {
                field.push(' ');
                field.push_str(line.trim());
            }
            return;
        }
        self.last = Last::Other;
        let Some((name, value)) = line.split_once(':') else { return };
        let value = value.trim();
        if name.eq_ignore_ascii_case("proxy-status") {
            match &mut self.field {
                Some(field) => field.extend([", ", value]),
                None => self.field = Some(value.to_owned()),
            }
            self.last = Last::Field;
        } else if name.eq_ignore_ascii_case("server") {
            self.answer.server = Some(tidy(value));
        } else if name.eq_ignore_ascii_case("x-request-id") {
            self.answer.request_id = Some(tidy(value));
        }
    }

    fn finish(mut self) -> Answer {
        if let Some(field) = self.field {
            self.answer.chain = Chain::read(&field);
            self.answer.broken = self.answer.chain.is_none();
        }
        self.answer
    }
}

/// The answers in what `curl -i` or `curl -v` printed; interim ones are left out. A line that only
/// says what `curl` itself met is an answer without a status.
pub(super) fn read(text: &str) -> Vec<Answer> {
    let verbose = text.lines().any(|line| line.strip_prefix("< ").and_then(status).is_some());
    let mut answers: Vec<Answer> = Vec::new();
    let mut draft: Option<Draft> = None;
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        if let Some(code) = curl(line) {
            answers.extend(draft.take().map(Draft::finish));
            match answers.last_mut() {
                Some(answer) => answer.curl = Some(code),
                None => answers.push(Answer { curl: Some(code), ..Answer::default() }),
            }
            continue;
        }
        let line = match (verbose, line.strip_prefix('<')) {
            (false, _) => line,
            (true, Some(rest)) => rest.strip_prefix(' ').unwrap_or(rest),
            (true, None) => continue,
        };
        if let Some(status) = status(line) {
            answers.extend(draft.take().map(Draft::finish));
            let answer = Answer { status: Some(status), ..Answer::default() };
            draft = Some(Draft { answer, ..Draft::default() });
        } else if line.is_empty() {
            answers.extend(draft.take().map(Draft::finish));
        } else if let Some(draft) = &mut draft {
            draft.line(line);
        }
    }
    answers.extend(draft.map(Draft::finish));
    answers.retain(|answer| answer.status.is_none_or(|status| status >= 200));
    answers.drain(..answers.len().saturating_sub(MAX));
    answers
}

/// The status in a status line: `HTTP/1.1 502 Bad Gateway`, `HTTP/2 502`.
fn status(line: &str) -> Option<u16> {
    let (version, rest) = line.strip_prefix("HTTP/")?.split_once(' ')?;
    let status = rest.split(' ').next()?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (digits(version) && status.len() == 3).then(|| status.parse().ok())?.filter(|s| *s >= 100)
}

/// The number in `curl: (52) Empty reply from server`, which a progress meter may stand before.
fn curl(line: &str) -> Option<u16> {
    let (_, rest) = line.rsplit_once('\r').unwrap_or(("", line)).1.split_once("curl: (")?;
    rest.split_once(')')?.0.parse().ok()
}

/// The value of a field in a text without a status line: lines of `Proxy-Status: …`, or the value
/// alone, whichever way it is broken into lines.
pub(super) fn field(text: &str) -> String {
    let mut draft = Draft::default();
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        draft.line(line.strip_prefix("< ").unwrap_or(line));
    }
    draft.field.unwrap_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(" "))
}
