//! Reads YAML within bounds, and says what is wrong with the text itself.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::Number;

use super::{Key, Kind, Node};
use crate::problem::{Place, Problem};

/// The largest text that is read.
const BYTES: usize = 4 << 20;
/// How deep collections may stand in each other.
const DEPTH: usize = 32;
/// How many nodes there may be, those that aliases repeat included.
const NODES: usize = 100_000;
/// A text counts as one node more for each so many bytes of it, since aliases repeat texts too.
const WEIGHED: usize = 256;

/// Reads a text that holds one YAML document. Gives the tree, as far as there is one, and what is
/// wrong with the text itself. An empty text is an empty map.
pub(crate) fn read(text: &str) -> (Option<Node>, Vec<Problem>) {
    if text.len() > BYTES {
        let says = format!("the file has more than {} MiB", BYTES >> 20);
        return (None, vec![Problem::error("", 0..0, says)]);
    }
    let mut reader = Reader::new(text);
    let mut parser = Parser::new_from_str(text);
    let root = match reader.document(text, &mut parser) {
        Ok(root) => root,
        Err(problem) => {
            reader.problems.push(*problem);
            None
        }
    };
    (root, reader.problems)
}

struct Reader {
    /// The byte at which each character begins, where not all characters are one byte.
    offsets: Option<Vec<usize>>,
    length: usize,
    nodes: usize,
    anchors: HashMap<usize, (Rc<Node>, usize)>,
    problems: Vec<Problem>,
}

/// A collection that is still being read.
struct Open {
    node: Node,
    anchor: usize,
    /// The number of nodes read before it.
    before: usize,
    /// The key that waits for its value.
    key: Option<Key>,
    seen: HashMap<String, Place>,
}

type Fault = Box<Problem>;

impl Reader {
    fn new(text: &str) -> Self {
        let ascii = text.is_ascii();
        let offsets = (!ascii).then(|| text.char_indices().map(|(at, _)| at).collect());
        let (anchors, problems) = (HashMap::new(), Vec::new());
        Self { offsets, length: text.len(), nodes: 0, anchors, problems }
    }

    /// The parser counts characters.
    fn byte(&self, index: usize) -> usize {
        match &self.offsets {
            Some(offsets) => offsets.get(index).copied().unwrap_or(self.length),
            None => index.min(self.length),
        }
    }

    fn place(&self, span: Span) -> Place {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }

    fn document(
        &mut self,
        text: &str,
        parser: &mut Parser<'_, StrInput<'_>>,
    ) -> Result<Option<Node>, Fault> {
        let mut open: Vec<Open> = Vec::new();
        let mut root: Option<Node> = None;
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let at = self.byte(error.marker().index());
                let says = format!("this is not YAML: {}", error.info());
                let problem = Problem::error("", at..at, says);
                Box::new(if bare_brackets(text, at) {
                    problem.help("an address in brackets must be in quotes: `\"[::1]:8080\"`")
                } else {
                    problem
                })
            })?;
            let place = self.place(span);
            let (before, done) = (
                self.nodes,
                match event {
                    Event::StreamEnd => break,
                    Event::Nothing | Event::StreamStart | Event::DocumentEnd => continue,
                    Event::DocumentStart(_) => {
                        documents += 1;
                        if documents > 1 {
                            let says = "a second document begins here".to_owned();
                            let problem = Problem::error("", place, says);
                            return Err(Box::new(
                                problem.help("a configuration is a single YAML document"),
                            ));
                        }
                        continue;
                    }
                    Event::Alias(id) => self.alias(id, place)?,
                    Event::Scalar(value, style, anchor, tag) => {
                        self.untagged(tag.is_some(), &place);
                        self.count(1 + value.len() / WEIGHED, &place)?;
                        (anchor, Node { kind: scalar(&value, style), place })
                    }
                    Event::SequenceStart(anchor, tag) => {
                        self.untagged(tag.is_some(), &place);
                        self.open(&mut open, Kind::List(Vec::new()), anchor, place)?;
                        continue;
                    }
                    Event::MappingStart(anchor, tag) => {
                        self.untagged(tag.is_some(), &place);
                        self.open(&mut open, Kind::Map(Vec::new()), anchor, place)?;
                        continue;
                    }
                    Event::SequenceEnd | Event::MappingEnd => {
                        let Some(mut closed) = open.pop() else { continue };
                        closed.node.place.end = place.end.max(closed.node.place.start);
                        let (anchor, node) = (closed.anchor, closed.node);
                        if let Some(node) = self.settle(&mut open, anchor, node, closed.before) {
                            root = Some(node);
                        }
                        continue;
                    }
                },
            );
            let (anchor, node) = done;
            if let Some(node) = self.settle(&mut open, anchor, node, before) {
                root = Some(node);
            }
        }
        let empty = Node { place: 0..0, kind: Kind::Map(Vec::new()) };
        Ok(Some(root.filter(|root| !matches!(root.kind, Kind::Null)).unwrap_or(empty)))
    }

    fn count(&mut self, nodes: usize, place: &Place) -> Result<(), Fault> {
        self.nodes += nodes;
        if self.nodes <= NODES {
            return Ok(());
        }
        let says = format!("the configuration has more than {NODES} values, aliases counted");
        Err(Box::new(Problem::error("", place.clone(), says)))
    }

    fn open(
        &mut self,
        open: &mut Vec<Open>,
        kind: Kind,
        anchor: usize,
        place: Place,
    ) -> Result<(), Fault> {
        let before = self.nodes;
        self.count(1, &place)?;
        if open.len() >= DEPTH {
            let says = format!("more than {DEPTH} lists and maps stand in each other");
            return Err(Box::new(Problem::error("", place, says)));
        }
        open.push(Open {
            node: Node { place, kind },
            anchor,
            before,
            key: None,
            seen: HashMap::new(),
        });
        Ok(())
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<(usize, Node), Fault> {
        let Some((node, size)) = self.anchors.get(&id).cloned() else {
            let says = "this alias stands inside of what it stands for".to_owned();
            return Err(Box::new(Problem::error("", place, says)));
        };
        self.count(size, &place)?;
        Ok((0, Node::clone(&node)))
    }

    /// A tag says that a value is of another type than it looks, which no setting needs.
    fn untagged(&mut self, tagged: bool, place: &Place) {
        if tagged {
            let says = "tags are not used here".to_owned();
            let help = "remove the `!…`; write text that looks like a number in quotes";
            self.problems.push(Problem::error("", place.clone(), says).help(help));
        }
    }

    /// Puts a finished value where it belongs; gives it back if that is nowhere: it is the root.
    fn settle(
        &mut self,
        open: &mut [Open],
        anchor: usize,
        node: Node,
        before: usize,
    ) -> Option<Node> {
        if anchor > 0 {
            let size = self.nodes - before;
            self.anchors.insert(anchor, (Rc::new(node.clone()), size));
        }
        let Some(parent) = open.last_mut() else { return Some(node) };
        match (&mut parent.node.kind, parent.key.take()) {
            (Kind::Map(entries), Some(key)) => {
                if let Some(first) = parent.seen.get(&key.text) {
                    let says = format!("`{}` is set twice", key.text.escape_debug());
                    let problem = Problem::error(&key.text, key.place.clone(), says);
                    self.problems.push(problem.other(first.clone(), "first set here"));
                    // Which of the two was meant is open.
                    entries.push((key, Rc::new(Node { kind: Kind::Wrong, ..node })));
                } else {
                    parent.seen.insert(key.text.clone(), key.place.clone());
                    entries.push((key, Rc::new(node)));
                }
            }
            (Kind::Map(_), None) => parent.key = Some(self.named(node)),
            (Kind::List(items), _) => items.push((items.len(), Rc::new(node))),
            _ => {}
        }
        None
    }

    /// A key's text. Numbers and the like make texts, as people write them.
    fn named(&mut self, node: Node) -> Key {
        let text = match node.kind {
            Kind::Text(text) => text,
            Kind::Bool(value) => value.to_string(),
            Kind::Number(number) => number.to_string(),
            Kind::Null | Kind::List(_) | Kind::Map(_) | Kind::Wrong | Kind::Stray => {
                let says = "a key must be a name".to_owned();
                self.problems.push(Problem::error("", node.place.clone(), says));
                String::new()
            }
        };
        Key { place: node.place, text }
    }
}

/// Whether the line of an error holds an IPv6 address without quotes, which YAML takes for a list.
fn bare_brackets(text: &str, at: usize) -> bool {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    line.contains("]:") && !line.contains(['"', '\''])
}

/// The value of a scalar by YAML 1.2's core schema (YAML 1.2.2 section 10.3.2): `yes` and `on` are
/// texts.
fn scalar(text: &str, style: ScalarStyle) -> Kind {
    if style != ScalarStyle::Plain {
        return Kind::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    let radix = |prefix: &str, radix| {
        let digits = text.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok().map(Number::from)
    };
    let decimal = text.strip_prefix('+').unwrap_or(text);
    let starts_right = decimal.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    let number = radix("0x", 16)
        .or_else(|| radix("0o", 8))
        .or_else(|| decimal.parse::<u64>().ok().map(Number::from))
        .or_else(|| decimal.parse::<i64>().ok().map(Number::from))
        .or_else(|| {
            decimal.parse::<f64>().ok().filter(|_| starts_right).and_then(Number::from_f64)
        });
    number.map_or_else(|| Kind::Text(text.to_owned()), Kind::Number)
}

#[cfg(test)]
mod tests;
