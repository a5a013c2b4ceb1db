//! The admin port.

use reqwest::StatusCode;
use serde_json::{Value, json};
use server::{Check, Config};

use crate::running::{Running, get, soon, start, start_in};

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
    assert!(["/livez", "/readyz", "/telemetry", "/metrics"].iter().all(|path| text.contains(path)), "{text}");
}

#[tokio::test]
async fn telemetry_says_what_decides_of_sampling_and_what_was_decided() {
    let variables = [
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
        ("TELEMETRY_SAMPLING_RULES", "*/GetPayment=never,*/Refund=0.25"),
        ("TELEMETRY_TRACES_PER_SECOND", "20"),
        ("TELEMETRY_FORCED_TRACES_PER_SECOND", "2"),
        ("TELEMETRY_KEEP_ERRORS", "true"),
        ("TELEMETRY_KEEP_SLOWER_THAN", "500ms"),
    ];
    let server = start_in(&variables.into_iter().collect(), Config::default(), Vec::new()).await;
    get(&mut server.client()).await.unwrap();
    let expected = json!({
        "settings": {
            "sampler": "parentbased_traceidratio",
            "root": {"ratio": 0.5},
            "rules": [
                {"name": "*/GetPayment", "sample": "never"},
                {"name": "*/Refund", "sample": {"ratio": 0.25}},
            ],
            "traces_per_second": 20.0,
            "forced_per_second": 2.0,
            "keep_errors": true,
            "keep_slower_than": "500ms",
            "variables": variables.map(|(name, _)| name),
        },
        "decisions": [
            {"reason": "rule */GetPayment", "sampled": 0, "unsampled": 1},
            {"reason": "rule */Refund", "sampled": 0, "unsampled": 0},
            {"reason": "rate", "sampled": 0, "unsampled": 0},
            {"reason": "parent", "sampled": 0, "unsampled": 0},
            {"reason": "ratio", "sampled": 0, "unsampled": 0},
        ],
        "refused": 0,
        "shares": [],
        "recorded": {"kept_failed": 0, "kept_slow": 0, "dropped": 0, "cut": 0},
    });
    assert_eq!(told(&server).await["sampling"], expected);
}

#[tokio::test]
async fn telemetry_says_so_where_every_trace_is_sampled() {
    let server = start(Config::default(), Vec::new()).await;
    get(&mut server.client()).await.unwrap();
    let sampling = &told(&server).await["sampling"];
    assert_eq!(sampling["settings"]["sampler"], "parentbased_always_on");
    assert_eq!(sampling["settings"]["variables"], json!([]));
    assert_eq!(sampling["decisions"][1], json!({"reason": "always_on", "sampled": 1, "unsampled": 0}));
    assert_eq!(sampling["recorded"], Value::Null);
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

#[tokio::test]
async fn telemetry_and_metrics_say_how_exporting_goes() {
    let server = start(Config::default(), Vec::new()).await;
    let told = told(&server).await;
    for signal in ["spans", "logs", "metric_points"] {
        let export = &told["export"][signal];
        assert_eq!((&export["exporter"], &export["state"]), (&json!("none"), &json!("off")), "{told}");
        assert_eq!(export["dropped"]["queue_full"], 0, "{told}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let clock = told["now"].as_f64().unwrap();
    assert!(clock <= now && now - clock < 60.0, "{clock} is not {now}");
    let metrics = ask(&server, "/metrics").await;
    assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    // Nothing is exported here, so there is nothing to measure.
    assert_eq!(metrics.text().await.unwrap(), "");
}

/// The body of `/telemetry`.
async fn told(server: &Running) -> Value {
    let answer = ask(server, "/telemetry").await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

async fn ask(server: &Running, path: &str) -> reqwest::Response {
    soon(reqwest::get(format!("http://{}{path}", server.admin))).await.unwrap()
}
