//! YAML as a tree in which every key and value knows its place, read within bounds.

mod read;

use std::collections::BTreeSet;
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
    /// Each item with its number, as it was written. Once checked, those that cannot be used stand
    /// last, so that the others stand where they do in the settings.
    List(Vec<(usize, Rc<Node>)>),
    Map(Vec<(Key, Rc<Node>)>),
    /// Something was written here that cannot be used; what is wrong with it was told.
    Wrong,
    /// The same, and nobody knows which setting it was meant for.
    Stray,
}

/// The name of an entry of a map, and its place.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// One step on the way to a setting.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// To the setting with this key.
    Key(&'a str),
    /// To this item of a list, counted from 0.
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
    /// Whether it may go into the settings.
    pub(crate) fn is_usable(&self) -> bool {
        !matches!(self.kind, Kind::Wrong | Kind::Stray)
    }

    fn child(&self, step: Step<'_>) -> Option<(Option<&Key>, &Rc<Self>)> {
        match (&self.kind, step) {
            (Kind::Map(entries), Step::Key(key)) => entries
                .iter()
                .find(|(name, value)| name.text == key && value.is_usable())
                .map(|(name, value)| (Some(name), value)),
            (Kind::List(items), Step::Index(index)) => {
                items.get(index).filter(|(_, item)| item.is_usable()).map(|(_, item)| (None, item))
            }
            _ => None,
        }
    }

    /// Whether what can be used of a path's end, be it nothing, is all that was meant for it. A
    /// problem that rests on something being absent must not be told unless this holds.
    pub(crate) fn is_certain(&self, path: &[Step<'_>]) -> bool {
        let mut node = self;
        for step in path {
            if let (Kind::Map(entries), Step::Key(key)) = (&node.kind, step) {
                let named = |(name, _): &&(Key, Rc<Self>)| name.text == *key;
                if entries.iter().filter(named).any(|(_, value)| !value.is_usable()) {
                    return false;
                }
            }
            match (node.child(*step), &node.kind) {
                (Some((_, child)), _) => node = child,
                (None, Kind::Map(entries)) => {
                    return !entries.iter().any(|(_, value)| matches!(value.kind, Kind::Stray));
                }
                (None, _) => return true,
            }
        }
        true
    }

    /// Whether that holds of every entry or item of the collection at the end of a path as well.
    pub(crate) fn is_complete(&self, path: &[Step<'_>]) -> bool {
        self.is_certain(path)
            && self.get(path).is_none_or(|node| match &node.kind {
                Kind::List(items) => items.iter().all(|(_, item)| item.is_usable()),
                Kind::Map(entries) => entries.iter().all(|(_, value)| value.is_usable()),
                _ => true,
            })
    }

    /// The names of the entries at the end of a path, those whose values cannot be used included.
    pub(crate) fn names(&self, path: &[Step<'_>]) -> BTreeSet<&str> {
        let Some(Kind::Map(entries)) = self.get(path).map(|node| &node.kind) else {
            return BTreeSet::new();
        };
        let named = entries.iter().filter(|(_, value)| !matches!(value.kind, Kind::Stray));
        named.map(|(name, _)| name.text.as_str()).collect()
    }

    /// A path as it is written in problems, items counted as they were written.
    pub(crate) fn named(&self, path: &[Step<'_>]) -> String {
        let mut name = String::new();
        let mut node = Some(self);
        for step in path {
            match step {
                Step::Key(key) if name.is_empty() => name.push_str(key),
                Step::Key(key) => name.extend([".", key]),
                Step::Index(index) => {
                    let number = match node.map(|node| &node.kind) {
                        Some(Kind::List(items)) => items.get(*index).map(|(number, _)| number),
                        _ => None,
                    };
                    name.extend(["[", &number.unwrap_or(index).to_string(), "]"]);
                }
            }
            node = node.and_then(|node| node.child(*step)).map(|(_, child)| &**child);
        }
        name
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

    /// What was written at the end of a path, as far as it can be used, as JSON.
    pub(crate) fn json_at(&self, path: &[Step<'_>]) -> Value {
        self.get(path).map_or(Value::Null, Self::json)
    }

    pub(crate) fn json(&self) -> Value {
        match &self.kind {
            Kind::Null | Kind::Wrong | Kind::Stray => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => {
                let usable = items.iter().filter(|(_, item)| item.is_usable());
                usable.map(|(_, item)| item.json()).collect()
            }
            Kind::Map(entries) => {
                let usable = entries.iter().filter(|(_, value)| value.is_usable());
                usable.map(|(key, value)| (key.text.clone(), value.json())).collect()
            }
        }
    }
}

/// What a caret points at for a whole collection: its first key or item.
fn head(node: &Node) -> Place {
    match &node.kind {
        Kind::Map(entries) => entries.first().map(|(key, _)| key.place.clone()),
        Kind::List(items) => items.first().map(|(_, item)| head(item)),
        _ => None,
    }
    .unwrap_or_else(|| node.place.clone())
}
