//! The routes of one host, by path: the exact path wins, then the longest prefix, then the patterns
//! in their order, then any path.

use std::collections::HashMap;

use regex::Regex;

use super::{PathTest, Wants};

/// Routes by path.
#[derive(Debug)]
pub(super) struct Paths<T> {
    exact: HashMap<Box<str>, Choice<T>>,
    /// In order.
    prefixes: Vec<(Box<str>, Choice<T>)>,
    patterns: Vec<(Regex, Choice<T>)>,
    any: Choice<T>,
}

/// Routes for the same host and path.
#[derive(Debug)]
struct Choice<T> {
    /// Those that ask for more, the most first.
    picky: Vec<(Wants, T)>,
    /// The one that does not.
    plain: Option<T>,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        let (exact, prefixes, patterns) = (HashMap::new(), Vec::new(), Vec::new());
        Self { exact, prefixes, patterns, any: Choice::default() }
    }
}

impl<T> Default for Choice<T> {
    fn default() -> Self {
        Self { picky: Vec::new(), plain: None }
    }
}

impl<T> Paths<T> {
    pub(super) fn insert(&mut self, path: PathTest, wants: Wants, target: T) {
        let choice = match path {
            PathTest::Exact(path) => self.exact.entry(path.into()).or_default(),
            PathTest::Prefix(prefix) if prefix.is_empty() || prefix == "/" => &mut self.any,
            PathTest::Any => &mut self.any,
            PathTest::Prefix(prefix) => {
                let place = self.prefixes.binary_search_by(|(known, _)| (**known).cmp(&prefix));
                let place = place.unwrap_or_else(|place| {
                    self.prefixes.insert(place, (prefix.into(), Choice::default()));
                    place
                });
                &mut self.prefixes[place].1
            }
            PathTest::Regex(regex) => {
                let same = |(known, _): &(Regex, _)| known.as_str() == regex.as_str();
                let place = self.patterns.iter().position(same).unwrap_or_else(|| {
                    self.patterns.push((regex, Choice::default()));
                    self.patterns.len() - 1
                });
                &mut self.patterns[place].1
            }
        };
        choice.insert(wants, target);
    }

    /// The first route for a path of which it is said that all it wants is met.
    #[inline]
    pub(super) fn find(&self, path: &str, met: impl Fn(&Wants) -> bool) -> Option<&T> {
        if !self.exact.is_empty()
            && let Some(found) = self.exact.get(path).and_then(|choice| choice.find(&met))
        {
            return Some(found);
        }
        if let Some(found) = self.by_prefix(path, &met) {
            return Some(found);
        }
        let mut patterns = self.patterns.iter().filter(|(regex, _)| regex.is_match(path));
        let found = patterns.find_map(|(_, choice)| choice.find(&met));
        found.or_else(|| self.any.find(&met))
    }

    /// The longest prefix of `path` comes first. In sorted order it stands at or before the place of
    /// `path`; if the entry there is no prefix, then only what both begin with can have one.
    fn by_prefix(&self, path: &str, met: impl Fn(&Wants) -> bool) -> Option<&T> {
        let mut head = path.as_bytes();
        loop {
            let end = self.prefixes.partition_point(|(prefix, _)| prefix.as_bytes() <= head);
            let (prefix, choice) = self.prefixes.get(end.checked_sub(1)?)?;
            let prefix = prefix.as_bytes();
            if head.starts_with(prefix) {
                if let Some(found) = choice.find(&met) {
                    return Some(found);
                }
                head = &head[..prefix.len() - 1];
            } else {
                let common = prefix.iter().zip(head).take_while(|(a, b)| a == b).count();
                head = &head[..common];
            }
        }
    }
}

impl<T> Choice<T> {
    fn insert(&mut self, wants: Wants, target: T) {
        if wants.is_empty() {
            self.plain.get_or_insert(target);
        } else {
            let place = self.picky.partition_point(|(other, _)| other.count() >= wants.count());
            self.picky.insert(place, (wants, target));
        }
    }

    #[inline]
    fn find(&self, met: impl Fn(&Wants) -> bool) -> Option<&T> {
        if self.picky.is_empty() {
            return self.plain.as_ref();
        }
        let picky = self.picky.iter().find(|(wants, _)| met(wants)).map(|(_, target)| target);
        picky.or(self.plain.as_ref())
    }
}
