//! The paths of the admin listener.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::{Path, Request, State, rejection::QueryRejection};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use subtle::ConstantTimeEq;
use whodunit_filters::attribution::Record;
use whodunit_filters::attribution::ledger::Query;
use whodunit_filters::secret::Secret;

use super::Insight;
use super::problem::Problem;

type Shared = State<Arc<dyn Insight>>;
type Parameters = axum::extract::Query<Vec<(String, String)>>;

/// How many errors are listed unless told otherwise, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// The router; with a `token`, everything but the two probes asks for it.
pub(super) fn router(insight: Arc<dyn Insight>, token: Option<Secret>) -> Router {
    let mut guarded = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/api/v1/errors", get(errors))
        .route("/api/v1/errors/{id}", get(error))
        .route("/api/v1/summary", get(async |State(insight): Shared| json(&insight.summary())))
        .route("/api/v1/upstreams", get(async |State(insight): Shared| json(&insight.upstreams())))
        .route("/api/v1/config", get(async |State(insight): Shared| json(&insight.config())))
        .fallback(async || Problem::not_found("there is no such page; `/` lists what there is"));
    if let Some(token) = token {
        guarded = guarded.layer(middleware::from_fn_with_state(token, authorise));
    }
    // Probes carry no secrets, and these two give none away.
    guarded
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .layer(middleware::map_response(harden))
        .with_state(insight)
}

async fn authorise(State(expected): State<Secret>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
    // The scheme's name is read in any case (RFC 9110 section 11.1).
    let scheme = given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Bearer "));
    let right = scheme && bool::from(given[7..].ct_eq(expected.expose()));
    if right { next.run(request).await } else { Problem::unauthorized().into_response() }
}

async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn json(value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("what is shown here is plain data");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn index() -> Html<&'static str> {
    Html(include_str!("index.html"))
}

async fn metrics(State(insight): Shared) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], insight.metrics_text()).into_response()
}

async fn ready(State(insight): Shared) -> (StatusCode, String) {
    match insight.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn errors(
    State(insight): Shared,
    parameters: Result<Parameters, QueryRejection>,
) -> Result<Response, Problem> {
    let axum::extract::Query(parameters) = parameters
        .map_err(|_| Problem::parameter("", "the query is not of the form `name=value&…`"))?;
    let mut query = Query::default();
    let now = SystemTime::now();
    for (name, value) in &parameters {
        query.set(name, value, now).map_err(|detail| Problem::parameter(name, detail))?;
    }
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("`limit` must be from 1 to {MAX_LIMIT}");
        return Err(Problem::parameter("limit", detail));
    }
    query.limit = Some(limit);
    let recent = insight.recent(&query);
    Ok(json(&Errors { errors: recent.iter().map(AsRef::as_ref).collect() }))
}

/// The answer to `/api/v1/errors`.
#[derive(Serialize)]
struct Errors<'a> {
    errors: Vec<&'a Record>,
}

async fn error(State(insight): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    let query = Query { id: Some(id), limit: Some(1), ..Query::default() };
    let known = insight.recent(&query).into_iter().next();
    known.map(|record| json(&*record)).ok_or_else(|| {
        Problem::not_found(
            "no recent error has this id: it may be too old, or its request went well",
        )
    })
}
