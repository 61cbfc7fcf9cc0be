//! Fields that a route sets, adds and takes away.

use std::collections::BTreeMap;

use http::StatusCode;
use pingora::proxy::Session;
use whodunit_conf::Way;
use whodunit_conf::schema::route::template::{AnswerText, Part, RequestText};
use whodunit_pingora::{Change, Dress};

use super::text::Text;

/// The changes to one direction's header section.
#[derive(Debug, Default)]
pub(super) struct Edits {
    remove: Vec<String>,
    set: Vec<(String, Text)>,
    append: Vec<(String, Text)>,
}

/// The texts of either direction.
trait Parts {
    fn parts(&self) -> &[Part];
}

impl Parts for RequestText {
    fn parts(&self) -> &[Part] {
        Self::parts(self)
    }
}

impl Parts for AnswerText {
    fn parts(&self) -> &[Part] {
        Self::parts(self)
    }
}

fn texts<T: Parts>(fields: &BTreeMap<String, T>, way: &Way) -> Vec<(String, Text)> {
    fields.iter().map(|(name, text)| (name.clone(), Text::of(text.parts(), way))).collect()
}

impl Edits {
    /// Those to requests.
    pub(super) fn of_request(way: &Way) -> Self {
        let edits = &way.route.request_headers;
        Self {
            remove: edits.remove.iter().map(ToString::to_string).collect(),
            set: texts(&edits.set, way),
            append: texts(&edits.append, way),
        }
    }

    /// Those to answers.
    pub(super) fn of_response(way: &Way) -> Self {
        let edits = &way.route.response_headers;
        Self {
            remove: edits.remove.iter().map(ToString::to_string).collect(),
            set: texts(&edits.set, way),
            append: texts(&edits.append, way),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.append.is_empty()
    }

    /// The changes for one request, and for an answer with this status. What is set to nothing is
    /// taken away.
    pub(super) fn changes(&self, session: &Session, status: Option<StatusCode>) -> Vec<Change> {
        let remove = self.remove.iter().map(|name| Change::Remove(name.clone()));
        let set = self.set.iter().map(|(name, text)| match text.value(session, status) {
            Some(value) => Change::Set(name.clone(), value),
            None => Change::Remove(name.clone()),
        });
        let append = self.append.iter().filter_map(|(name, text)| {
            Some(Change::Append(name.clone(), text.value(session, status)?))
        });
        remove.chain(set).chain(append).collect()
    }
}

impl Dress for Edits {
    fn changes(&self, session: &Session, status: StatusCode) -> Vec<Change> {
        Self::changes(self, session, Some(status))
    }
}
