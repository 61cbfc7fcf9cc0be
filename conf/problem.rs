//! What is wrong with a configuration, and where: as text with the lines in question, and as JSON.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

/// A stretch of the text of a configuration, in bytes.
pub type Place = Range<usize>;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but probably does something else than was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The setting, as a path such as `upstreams.web.endpoints[0]`; empty for the whole file.
    pub setting: String,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, where that can be said.
    pub help: Option<String>,
    /// Where it is.
    pub place: Place,
    /// Another place that has to do with it, and how.
    pub other: Option<(Place, &'static str)>,
}

/// What is wrong with one configuration, in the order of its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    file: String,
    text: String,
    list: Vec<Problem>,
}

/// More problems than these are not told one by one.
const SHOWN: usize = 100;

impl Problem {
    pub(crate) fn error(setting: impl Into<String>, place: Place, message: String) -> Self {
        let setting = setting.into();
        Self { severity: Severity::Error, setting, message, help: None, place, other: None }
    }

    pub(crate) fn warning(setting: impl Into<String>, place: Place, message: String) -> Self {
        Self { severity: Severity::Warning, ..Self::error(setting, place, message) }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(crate) fn other(self, place: Place, says: &'static str) -> Self {
        Self { other: Some((place, says)), ..self }
    }

    fn word(&self) -> &'static str {
        match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

impl Problems {
    pub(crate) fn new(file: &str, text: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| (problem.place.start, problem.severity));
        Self { file: file.to_owned(), text: text.to_owned(), list }
    }

    /// These and others of the same text.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        Self::new(&self.file, &self.text, self.list)
    }

    /// The file as it was called.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text of the file.
    #[must_use]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Each problem, in the order of the text.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The line and column of a place's beginning, both counted from 1; columns count characters.
    #[must_use]
    pub fn position(&self, place: &Place) -> (usize, usize) {
        let before = self.text.get(..place.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// Each problem with its place, the lines in question and what to do, for a terminal. It shows
    /// lines of the file as they are; where secrets must not appear, use `Display`.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for problem in self.list.iter().take(SHOWN) {
            out.push_str(&renderer.render(&[self.group(problem)]));
            out.push_str("\n\n");
        }
        if let Some(more @ 1..) = self.list.len().checked_sub(SHOWN) {
            out.extend(["and ", &more.to_string(), " more"]);
        }
        out.truncate(out.trim_end_matches('\n').len());
        out
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(&problem.message);
        let mut group = if self.text.is_empty() {
            title.element(Origin::path(&self.file))
        } else {
            let mut snippet = Snippet::source(&self.text)
                .path(&self.file)
                .annotation(AnnotationKind::Primary.span(self.narrowed(&problem.place)));
            if let Some((place, says)) = &problem.other {
                let other = AnnotationKind::Context.span(self.narrowed(place)).label(*says);
                snippet = snippet.annotation(other);
            }
            title.element(snippet)
        };
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }

    /// The part of a place that stands on its first line: what a caret can point at.
    fn narrowed(&self, place: &Place) -> Place {
        let Some(inside) = self.text.get(place.clone()) else {
            return self.text.len()..self.text.len();
        };
        let first = inside.lines().next().unwrap_or_default().trim_end();
        place.start..place.start + first.len()
    }

    /// Each problem as an object, for programs: `severity`, `setting`, `message`, `help`, `file`,
    /// `line`, `column`, `end_line`, `end_column`.
    #[must_use]
    pub fn json(&self) -> Value {
        self.list
            .iter()
            .map(|problem| {
                let place = self.narrowed(&problem.place);
                let (line, column) = self.position(&place);
                let (end_line, end_column) = self.position(&(place.end..place.end));
                json!({
                    "severity": problem.word(),
                    "setting": problem.setting,
                    "message": problem.message,
                    "help": problem.help,
                    "file": self.file,
                    "line": line,
                    "column": column,
                    "end_line": end_line,
                    "end_column": end_column,
                })
            })
            .collect()
    }
}

/// Without the text, which may hold secrets.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems")
            .field("file", &self.file)
            .field("list", &self.list)
            .finish_non_exhaustive()
    }
}

/// One line a problem, without lines of the file: fit for a log.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().take(SHOWN).enumerate() {
            let (line, column) = self.position(&problem.place);
            let gap = if index == 0 { "" } else { "\n" };
            let (file, word, message) = (&self.file, problem.word(), &problem.message);
            write!(f, "{gap}{file}:{line}:{column}: {word}: ")?;
            if !message.contains(&problem.setting) {
                write!(f, "{}: ", problem.setting)?;
            }
            f.write_str(message)?;
            if let Some(help) = &problem.help {
                write!(f, " ({help})")?;
            }
        }
        match self.list.len().checked_sub(SHOWN) {
            Some(more @ 1..) => write!(f, "\nand {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_a_place_out_of_the_text_does_no_harm() {
        let text = "a: b\nü: x\n";
        let at = text.find('x').expect("it is there");
        let problem = Problem::error("a.b", at..at + 1, "wrong".into()).help("right it");
        let beyond = Problem::error("", 900..901, "beyond".into());
        let problems = Problems::new("f.yaml", text, vec![beyond, problem]);
        assert_eq!(problems.position(&problems.list()[0].place), (2, 4));
        assert_eq!(
            problems.to_string(),
            "f.yaml:2:4: error: a.b: wrong (right it)\nf.yaml:3:1: error: beyond"
        );
        assert!(problems.render(false).contains("f.yaml:2:4"));
        assert_eq!(problems.json()[0]["end_column"], 5);
        assert!(
            !Problems::new("f", "", vec![Problem::error("", 0..0, "x".into())])
                .render(true)
                .is_empty()
        );
    }
}
