//! A span ends when the answer does, once, with how it ended.

use axum::http::Method;

use super::{Site, site};

/// Asks for `path` and checks how its span ended.
#[track_caller]
fn check(
    method: Method,
    path: &'static str,
    status: Option<&'static str>,
    error_type: Option<&'static str>,
    is_error: bool,
) -> impl Future<Output = Site> {
    let caller = std::panic::Location::caller();
    async move {
        let site = site(|layer| layer).await;
        let answer = reqwest::Client::new().request(method, site.url(path)).send().await.unwrap();
        // Read to where it ends or breaks.
        let _ = answer.bytes().await;
        let span = site.span().await;
        assert_eq!(span.attribute("http.response.status_code"), status, "{caller}");
        assert_eq!(span.attribute("error.type"), error_type, "{caller}");
        assert_eq!(span.is_error, is_error, "{caller}");
        site
    }
}

#[tokio::test]
async fn what_the_server_answers_is_an_error_from_500_on() {
    check(Method::GET, "/orders/7", Some("200"), None, false).await;
    check(Method::POST, "/orders/7", Some("201"), None, false).await;
    check(Method::GET, "/empty", Some("204"), None, false).await;
    check(Method::GET, "/nowhere", Some("404"), None, false).await;
    check(Method::GET, "/unavailable", Some("503"), Some("503"), true).await;
}

#[tokio::test]
async fn an_answer_of_a_head_alone_ends_with_it() {
    check(Method::HEAD, "/orders/7", Some("200"), None, false).await;
    // A body that is there all the same is never asked for.
    check(Method::GET, "/unchanged", Some("304"), None, false).await;
    check(Method::HEAD, "/endless", Some("200"), None, false).await;
}

#[tokio::test]
async fn a_streamed_body_is_part_of_the_request() {
    let site = check(Method::GET, "/stream", Some("200"), None, false).await;
    let trace = site.spans.traces().await.remove(0);
    trace.assert_tree(
        "
        site SERVER GET /stream
          site INTERNAL one
          site INTERNAL two
    ",
    );
    assert!(trace.span("INTERNAL", "two").end <= trace.span("SERVER", "GET /stream").end);
}

#[tokio::test]
async fn a_body_whose_length_is_known_still_says_so() {
    let site = site(|layer| layer).await;
    for method in [Method::GET, Method::HEAD] {
        let answer = reqwest::Client::new().request(method, site.url("/orders/7")).send().await.unwrap();
        assert_eq!(answer.headers()["content-length"], "32");
    }
}

#[tokio::test]
async fn a_body_that_is_as_long_as_it_said_has_ended() {
    check(Method::GET, "/sized", Some("200"), None, false).await;
}

#[tokio::test]
async fn a_body_that_fails_is_an_error_of_the_request() {
    check(Method::GET, "/broken", Some("200"), Some("body"), true).await;
}

#[tokio::test]
async fn a_panic_is_answered_with_500_and_told_once() {
    let site = check(Method::GET, "/panics", Some("500"), Some("panic"), true).await;
    let exception = [("exception.message", "the handler's own"), ("exception.type", "panic")];
    let exception = exception.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(site.span().await.events, [("exception".to_owned(), exception.to_vec())]);
}

#[tokio::test]
async fn a_panic_in_the_body_breaks_the_answer_off() {
    let site = check(Method::GET, "/panics_late", Some("200"), Some("panic"), true).await;
    assert_eq!(site.span().await.events.len(), 1);
    let (status, body) = site.get("/panics_late").await;
    assert_eq!(status, 200);
    body.unwrap_err();
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_answer_ends_the_request() {
    let site = site(|layer| layer).await;
    tokio::select! {
        _ = site.get("/hangs") => panic!("there is no answer"),
        () = site.entered.notified() => {}
    }
    let span = site.span().await;
    assert_eq!((span.name.as_str(), span.is_error), ("GET /hangs", false));
    assert_eq!(span.attribute("error.type"), Some("cancelled"));
    assert_eq!(span.attribute("http.response.status_code"), None);
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_body_ends_the_request() {
    let site = site(|layer| layer).await;
    let mut answer = reqwest::get(site.url("/endless")).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "one");
    site.entered.notified().await;
    drop(answer);
    let span = site.span().await;
    assert!(!span.is_error);
    assert_eq!(span.attribute("error.type"), Some("cancelled"));
    assert_eq!(span.attribute("http.response.status_code"), Some("200"));
}
