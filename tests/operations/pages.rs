//! The body of an error, in the form that the client would rather have.

use serde_json::Value;

use crate::rig::net::Refusing;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

fn accepting(accept: &str) -> Told {
    let closed = Refusing::new();
    let proxy = Settings::endpoints(&[&closed.endpoint]).once().start();
    let told = proxy.send(format!("GET /x HTTP/1.1\r\nHost: app.test\r\n{accept}\r\n"));
    assert_eq!(told.status(), 502);
    told
}

fn form(told: &Told) -> String {
    told.answer().fields.text("content-type").expect("a body has a type")
}

#[test]
fn curl_gets_plain_text() {
    for accept in ["", "Accept: */*\r\n", "Accept: text/plain\r\n"] {
        let told = accepting(accept);
        assert!(form(&told).starts_with("text/plain"), "{}", form(&told));
        let says = told.text("says");
        assert!(told.answer().text().contains(says), "{says}");
        assert!(told.answer().text().contains(told.text("remedy")));
    }
}

#[test]
fn a_browser_gets_a_page_that_needs_nothing_else() {
    let told =
        accepting("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n");
    assert!(form(&told).starts_with("text/html"), "{}", form(&told));
    let page = told.answer().text();
    for foreign in ["<script", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(foreign), "`{foreign}` in {page}");
    }
    assert!(page.contains("prefers-color-scheme"), "light and dark");
}

#[test]
fn programs_get_problem_details() {
    for wanted in ["application/problem+json", "application/json"] {
        let told = accepting(&format!("Accept: {wanted}\r\n"));
        assert!(form(&told).starts_with(wanted), "{}", form(&told));
        let body: Value = serde_json::from_str(&told.answer().text()).expect("JSON");
        assert_eq!(body["status"], 502);
        for member in [
            "type",
            "title",
            "detail",
            "error_code",
            "error_name",
            "error_category",
            "retryable",
            "owner_action_required",
            "what_you_should_do",
        ] {
            assert!(!body[member].is_null(), "no {member} in {body:#}");
        }
    }
}

#[test]
fn agents_get_markdown() {
    let told = accepting("Accept: text/markdown, text/html;q=0.5\r\n");
    assert!(form(&told).starts_with("text/markdown"), "{}", form(&told));
}

#[test]
fn a_host_and_a_path_cannot_write_into_the_page() {
    let proxy = Settings::bare()
        .upstream("web", &["127.0.0.1:9"])
        .route("match: { host: other.test }, upstream: web")
        .start();
    let told = proxy.send(
        "GET /<script>alert(1)</script> HTTP/1.1\r\nHost: app.test\r\nAccept: text/html\r\n\r\n",
    );
    assert!(told.status() >= 400);
    assert!(!told.answer().text().contains("<script"), "{}", told.answer().text());
}
