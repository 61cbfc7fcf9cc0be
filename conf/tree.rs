//! YAML as a tree in which every key and value knows its place, read within bounds.

mod read;

use std::rc::Rc;

use serde_json::{Number, Value};

use crate::problem::Place;
pub(crate) use read::read;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(Key, Rc<Node>)>),
}

/// The name of an entry of a map, and its place.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// One step down the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> From<&'a str> for Step<'a> {
    fn from(key: &'a str) -> Self {
        Self::Key(key)
    }
}
impl From<usize> for Step<'_> {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Node {
    fn child(&self, step: Step<'_>) -> Option<(Option<&Key>, &Rc<Self>)> {
        match (&self.kind, step) {
            (Kind::Map(entries), Step::Key(key)) => entries
                .iter()
                .find(|(name, _)| name.text == key)
                .map(|(name, value)| (Some(name), value)),
            (Kind::List(items), Step::Index(index)) => items.get(index).map(|item| (None, item)),
            _ => None,
        }
    }

    /// The place of the value at the end of a path, or of the nearest thing above that was written.
    pub(crate) fn value(&self, path: &[Step<'_>]) -> Place {
        let mut node = self;
        let mut place = head(self);
        for step in path {
            let Some((key, child)) = node.child(*step) else { break };
            place = match &child.kind {
                Kind::List(_) | Kind::Map(_) => {
                    key.map_or_else(|| head(child), |k| k.place.clone())
                }
                Kind::Null if child.place.is_empty() => {
                    key.map_or_else(|| child.place.clone(), |k| k.place.clone())
                }
                _ => child.place.clone(),
            };
            node = child;
        }
        place
    }

    /// The place of the key at the end of a path, or of the nearest thing above that was written.
    pub(crate) fn key(&self, path: &[Step<'_>]) -> Place {
        let mut node = self;
        let mut place = head(self);
        for step in path {
            let Some((key, child)) = node.child(*step) else { break };
            place = key.map_or_else(|| head(child), |key| key.place.clone());
            node = child;
        }
        place
    }

    /// What was written at the end of a path, if anything.
    fn get(&self, path: &[Step<'_>]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| node.child(*step).map(|(_, child)| &**child))
    }

    /// Whether something was written at the end of a path.
    pub(crate) fn holds(&self, path: &[Step<'_>]) -> bool {
        self.get(path).is_some()
    }

    /// What was written at the end of a path, as JSON.
    pub(crate) fn json_at(&self, path: &[Step<'_>]) -> Value {
        self.get(path).map_or(Value::Null, Self::json)
    }

    pub(crate) fn json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(|item| item.json()).collect(),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|(key, value)| (key.text.clone(), value.json())).collect(),
            ),
        }
    }
}

/// What a caret points at for a whole collection: its first key or item.
fn head(node: &Node) -> Place {
    match &node.kind {
        Kind::Map(entries) => entries.first().map(|(key, _)| key.place.clone()),
        Kind::List(items) => items.first().map(|item| head(item)),
        _ => None,
    }
    .unwrap_or_else(|| node.place.clone())
}
