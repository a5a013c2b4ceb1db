//! The admin port.

use reqwest::StatusCode;
use server::{Check, Config};

use crate::running::{Running, soon, start};

#[tokio::test]
async fn livez_says_that_the_process_runs_even_when_it_is_not_ready() {
    let failing = Check::new("database", || Box::pin(async { Err("gone".to_owned()) }));
    let server = start(Config::default(), vec![failing]).await;
    assert_eq!(ask(&server, "/livez").await.status(), StatusCode::OK);
    assert_eq!(ask(&server, "/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_index_says_what_is_here() {
    let server = start(Config::default(), Vec::new()).await;
    let text = ask(&server, "/").await.text().await.unwrap();
    assert!(text.contains("/livez") && text.contains("/readyz"), "{text}");
}

#[tokio::test]
async fn there_is_nothing_else() {
    let server = start(Config::default(), Vec::new()).await;
    assert_eq!(ask(&server, "/etc/passwd").await.status(), StatusCode::NOT_FOUND);
    let post = reqwest::Client::new().post(format!("http://{}/livez", server.admin)).send();
    assert_eq!(soon(post).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn requests_are_measured_and_make_no_spans() {
    let failing = Check::new("database", || Box::pin(async { Err("gone".to_owned()) }));
    let server = start(Config::default(), vec![failing]).await;
    for path in ["/livez", "/readyz", "/etc/passwd", "/etc/shadow"] {
        ask(&server, path).await.text().await.unwrap();
    }
    let metrics = server.spans.metrics().await;
    let count = |attributes: &[_]| metrics.count("http.server.request.duration", attributes);
    assert_eq!(count(&[("http.route", "/livez"), ("http.response.status_code", "200")]), 1);
    assert_eq!(count(&[("http.route", "/readyz"), ("error.type", "503")]), 1);
    assert_eq!(count(&[("http.response.status_code", "404")]), 2);
    assert_eq!(count(&[]), 4);
    assert!(server.spans.traces().await.is_empty());
}

async fn ask(server: &Running, path: &str) -> reqwest::Response {
    soon(reqwest::get(format!("http://{}{path}", server.admin))).await.unwrap()
}
