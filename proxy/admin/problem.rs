//! Errors of the admin interface itself, as RFC 9457 has them.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::json;

/// What was wrong with a request to the admin interface.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    /// The query parameter concerned.
    pub(super) parameter: Option<String>,
}

impl Problem {
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail: detail.into(), parameter: None }
    }

    pub(super) fn unauthorized() -> Self {
        let detail = "this needs `Authorization: Bearer` with the token of `admin.token`";
        Self { status: StatusCode::UNAUTHORIZED, detail: detail.into(), parameter: None }
    }

    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let parameter = Some(name.chars().take(64).collect());
        Self { status: StatusCode::BAD_REQUEST, detail: detail.into(), parameter }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(parameter) = self.parameter {
            body["parameter"] = parameter.into();
        }
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
