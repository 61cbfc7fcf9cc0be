//! Edits to a header section of Pingora's, which keeps the names as they were spelt beside the map.

use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;
use whodunit_filters::chain::Edit;

/// A request header that is about to go to the origin.
pub(crate) struct Request<'a>(pub(crate) &'a mut RequestHeader);

impl Edit for Request<'_> {
    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.insert_header(name, value).expect("name and value were checked when made");
    }

    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.append_header(name, value).expect("name and value were checked when made");
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove_header(name);
    }
}
