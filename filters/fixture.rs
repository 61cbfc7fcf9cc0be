//! Requests and routes for the filters' tests.

use std::time::{Duration, Instant, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use crate::attribution::RequestId;
use crate::chain::{Peer, RequestView, ResponseView, RouteView};
use crate::limits::LimitsInForce;
use crate::rules::Rules;
use crate::timeouts::TimeoutsInForce;

/// What views borrow from.
pub(crate) struct Scene {
    pub(crate) method: Method,
    pub(crate) target: Vec<u8>,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Peer,
    pub(crate) id: RequestId,
    pub(crate) route: &'static str,
    pub(crate) limits: LimitsInForce,
    pub(crate) timeouts: TimeoutsInForce,
    pub(crate) rules: Rules,
    pub(crate) arrived: Instant,
}

impl Scene {
    /// `GET /` with these fields, from a neighbour.
    pub(crate) fn with(fields: &[(&'static str, &str)]) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let value = HeaderValue::from_str(value).expect("a field's value");
            headers.append(HeaderName::from_static(name), value);
        }
        Self {
            method: Method::GET,
            target: b"/".to_vec(),
            headers,
            peer: Peer::Inet(([10, 0, 0, 7], 50_000).into()),
            id: RequestId::parse(b"request-1").expect("an id"),
            route: "web",
            limits: LimitsInForce::default(),
            timeouts: TimeoutsInForce::default(),
            rules: Rules::default(),
            arrived: Instant::now(),
        }
    }

    pub(crate) fn request(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            target: &self.target,
            host: Some("app.example.net"),
            version: Version::HTTP_11,
            headers: &self.headers,
            secure: false,
            peer: self.peer,
            client: self.peer.ip(),
            listener: "0.0.0.0:8080",
            id: &self.id,
            began: UNIX_EPOCH + Duration::from_hours(500_000),
            arrived: self.arrived,
        }
    }

    /// The fields as those of an answer.
    pub(crate) fn response(&self, status: StatusCode) -> ResponseView<'_> {
        ResponseView { status, headers: &self.headers, method: &self.method }
    }

    pub(crate) fn route(&self) -> RouteView<'_> {
        RouteView {
            name: self.route,
            limits: &self.limits,
            timeouts: &self.timeouts,
            rules: &self.rules,
        }
    }
}
