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

async fn ask(server: &Running, path: &str) -> reqwest::Response {
    soon(reqwest::get(format!("http://{}{path}", server.admin))).await.unwrap()
}
