//! whodunit's configuration: YAML in; settings out, or everything that is wrong with it, each
//! problem with its file, line, column, the line in question and a suggestion.
//!
//! ```text
//! text ▶ tree (YAML with places) ▶ walk (against the JSON Schema; what does not fit is told, and
//!        marked as unusable) ▶ serde (the rest of it) ▶ resolve (what the settings mean together)
//!      ▶ Checked { config, resolved, warnings }
//! ```
//! The settings structs in [`mod@schema`] are the one source of what there is: the JSON Schema is
//! generated from them, and the walk checks against that schema, so that a key which nothing reads
//! is refused and a new key needs no second mention.
//!
//! ```
//! let text = "upstreams:\n  web: { endpoint: [ \"10.0.0.5:8080\" ] }\n";
//! let problems = whodunit_conf::parse(text, "whodunit.yaml").expect_err("a slip of the pen");
//! let told = problems.render(false);
//! assert!(told.contains("whodunit.yaml:2:10"));
//! assert!(told.contains("did you mean `endpoints`?"));
//!
//! let checked = whodunit_conf::parse(&text.replace("endpoint", "endpoints"), "whodunit.yaml")
//!     .expect("it is right now");
//! assert_eq!(checked.resolved.routes[0].upstream.as_deref(), Some("web"));
//! ```

pub mod flags;
pub mod problem;
pub mod reload;
pub mod resolve;
pub mod schema;
pub mod sections;
mod tree;
mod walk;

use std::path::Path;

use serde_path_to_error::Segment;

pub use flags::Flags;
pub use problem::{Problem, Problems, Severity};
pub use resolve::{Resolved, Way};
pub use schema::{Config, schema};
pub use tree::Step;

use tree::{Kind, Node};

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The settings, every default filled in.
    pub config: Config,
    /// What follows from them.
    pub resolved: Resolved,
    /// What is allowed but probably not meant.
    pub warnings: Problems,
}

impl Checked {
    /// What whoever uses the settings found wrong with them (a file that cannot be read, say), as
    /// problems with their places. Each setting is given by the keys that lead to it.
    #[must_use]
    pub fn refuse(&self, found: Vec<(Vec<&str>, String)>) -> Problems {
        let step = |keys: Vec<_>| keys.into_iter().map(Step::Key).collect();
        self.refuse_at(found.into_iter().map(|(keys, says)| (step(keys), says)).collect())
    }

    /// The same where a place in a list is among the steps.
    #[must_use]
    pub fn refuse_at(&self, found: Vec<(Vec<Step<'_>>, String)>) -> Problems {
        self.told(found, Problem::error)
    }

    /// What whoever uses the settings found that is probably not meant.
    #[must_use]
    pub fn warn_at(&self, found: Vec<(Vec<Step<'_>>, String)>) -> Problems {
        self.told(found, Problem::warning)
    }

    fn told(
        &self,
        found: Vec<(Vec<Step<'_>>, String)>,
        problem: fn(String, problem::Place, String) -> Problem,
    ) -> Problems {
        let (tree, _) = tree::read(self.warnings.text());
        let tree = tree.unwrap_or(Node { place: 0..0, kind: Kind::Null });
        let found = found
            .into_iter()
            .map(|(steps, says)| problem(tree.named(&steps), tree.value(&steps), says));
        Problems::new(self.warnings.file(), self.warnings.text(), found.collect())
    }
}

/// Reads and checks the configuration in a file. Gives the file's text as well, for
/// [`reload::watch`].
///
/// # Errors
/// Everything that is wrong with it; that it cannot be read is a problem without a place.
pub fn load(path: &Path) -> Result<(Checked, String), Problems> {
    let file = path.display().to_string();
    let text = reload::read(path).map_err(|error| {
        let says = format!("the file cannot be read: {error}");
        Problems::new(&file, "", vec![Problem::error("", 0..0, says)])
    })?;
    parse(&text, &file).map(|checked| (checked, text))
}

/// Reads and checks a configuration. `file` is only what the file is called in problems.
///
/// # Errors
/// Everything that is wrong with it, warnings included, in the order of the text. What the
/// settings mean together is looked at as far as they can be used; what may only follow from one
/// that cannot is not told.
pub fn parse(text: &str, file: &str) -> Result<Checked, Problems> {
    let (tree, mut problems) = tree::read(text);
    let Some(tree) = tree else { return Err(Problems::new(file, text, problems)) };
    let tree = walk::check(&tree, text, &mut problems);
    settle(&tree, problems, text, file)
}

/// Makes settings of what fits the schema. `problems` are those of the rest.
fn settle(
    tree: &Node,
    mut problems: Vec<Problem>,
    text: &str,
    file: &str,
) -> Result<Checked, Problems> {
    let config = match Config::read(tree.json()) {
        Ok(config) => config,
        Err(error) => {
            // With parts of it left out, what serde misses was told by the walk.
            if problems.is_empty() {
                problems.push(missed(&error, tree));
            }
            return Err(Problems::new(file, text, problems));
        }
    };
    let (resolved, more) = resolve::resolve(&config, tree);
    problems.extend(more);
    let wrong = problems.iter().any(|problem| problem.severity == Severity::Error);
    let problems = Problems::new(file, text, problems);
    if wrong { Err(problems) } else { Ok(Checked { config, resolved, warnings: problems }) }
}

/// What serde refuses and the schema does not.
fn missed(error: &serde_path_to_error::Error<serde_json::Error>, tree: &Node) -> Problem {
    let steps: Vec<Step<'_>> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect();
    Problem::error(tree.named(&steps), tree.value(&steps), error.inner().to_string())
}
