//! `demo explain`, as anybody would run it, beside a demo that is up.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::process::demo;
use crate::shop::{PATIENCE, bind};
use crate::up::Up;

/// A demo that is up, and its data.
struct Shown {
    up: Up,
    _data: TempDir,
}

/// What a walk came to.
struct Walked {
    code: Option<i32>,
    said: String,
    complaints: String,
}

impl Shown {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        Self { up: Up::start(data.path()).await, _data: data }
    }

    fn address(&self, name: &str, place: usize) -> String {
        format!("http://{}", self.up.addresses[name][place])
    }

    /// The demo's own collector, where traces are read.
    fn view(&self) -> String {
        self.address("collector", 2)
    }

    async fn explain(&self, topic: &str, flags: &[&str]) -> Walked {
        let (gateway, view) = (self.address("gateway", 0), self.view());
        explain(topic, &[&["--gateway", &gateway, "--view", &view], flags].concat()).await
    }

    /// The spans of a trace, as the collector has them.
    async fn spans(&self, trace: &str) -> Value {
        let answer = reqwest::get(format!("{}/api/v3/traces/{trace}", self.view())).await.unwrap();
        answer.json::<Value>().await.unwrap()["result"].take()
    }
}

async fn explain(topic: &str, flags: &[&str]) -> Walked {
    // A stdin that stays open, and is no terminal.
    let output = timeout(PATIENCE, demo().args(["explain", topic]).args(flags).output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Walked { code: output.status.code(), said: text(output.stdout), complaints: text(output.stderr) }
}

impl Walked {
    /// The words that follow this text on its line.
    #[track_caller]
    fn after(&self, text: &str) -> Vec<&str> {
        let rest = self.said.lines().find_map(|line| line.trim_start().strip_prefix(text));
        rest.unwrap_or_else(|| panic!("no {text} in\n{}", self.said)).split_whitespace().collect()
    }

    #[track_caller]
    fn assert_as_told(&self) {
        assert_eq!((self.code, self.complaints.as_str()), (Some(0), ""), "{}", self.said);
        assert!(self.said.contains('✓') && !self.said.contains('✗'), "{}", self.said);
    }
}

/// Starts a server of the test's own.
async fn serve(routes: Router) -> String {
    let listener = bind().await;
    let address = listener.local_addr().unwrap();
    drop(telemetry::spawn(axum::serve(listener, routes).into_future()));
    format!("http://{address}")
}

#[tokio::test]
async fn propagation_shows_the_hops_that_the_collector_has() {
    let shown = Shown::start().await;
    let walked = shown.explain("propagation", &[]).await;
    walked.assert_as_told();

    let trace = walked.after("trace     ")[0];
    let spans = shown.spans(trace).await.to_string();
    let hops: Vec<_> = walked.said.lines().filter(|line| line.contains("  span ")).collect();
    assert_eq!(hops.len(), 5, "{}", walked.said);
    for hop in hops {
        let id = hop.split("  span ").nth(1).unwrap().split(' ').next().unwrap();
        assert!(id.len() == 16 && spans.contains(id) && hop.contains(" ms left"), "{hop}");
    }
    assert!(walked.said.contains("The hop from order to payment has a budget of its own"), "{}", walked.said);
    assert_eq!(walked.said.matches(&format!("└▶ traceparent: 00-{trace}-")).count(), 2, "{}", walked.said);
    assert!(walked.said.ends_with(&format!("\n   demo trace {trace}\n")), "{}", walked.said);

    let sent = walked.after("sent along: traceparent:")[0];
    let [_, caller, span, _] = sent.split('-').collect::<Vec<_>>()[..] else { panic!("{sent}") };
    let continued = shown.spans(caller).await.to_string();
    assert!(continued.contains(&format!(r#""parentSpanId":"{span}""#)), "{continued}");
    shown.up.interrupt().await;
}

#[tokio::test]
async fn sampling_counts_what_is_kept_of_each_sort() {
    let shown = Shown::start().await;
    // Without a Prometheus the Collector is not asked for anything.
    let walked = shown.explain("sampling", &["--collector", &shown.address("collector", 1)]).await;
    walked.assert_as_told();
    for (sort, count, why) in [
        ("declined", "3", "failed:"),
        ("slow", "2", "took"),
        ("asked for", "1", "demo.keep"),
        ("healthy", "20", "chance:"),
    ] {
        let rows = walked.said.lines().filter(|line| line.trim_start().starts_with(sort));
        let rows: Vec<Vec<_>> = rows.map(|row| row.trim_start()[sort.len()..].split_whitespace().collect()).collect();
        let [.., placed, kept] = &rows[..] else { panic!("{}", walked.said) };
        assert_eq!((placed[0], &kept[..2]), (count, &[count, count][..]), "{sort}");
        assert!(kept.contains(&why), "{kept:?}");
    }
    assert!(walked.said.contains("not looked at: no Prometheus is given"), "{}", walked.said);
    shown.up.interrupt().await;
}

#[tokio::test]
async fn sampling_fails_where_another_share_is_kept_than_the_demo_was_told() {
    let shown = Shown::start().await;
    // The demo's own collector keeps all.
    let flags = ["--collector", &shown.address("collector", 1), "--sample-percent", "10"];
    let walked = shown.explain("sampling", &flags).await;
    assert_eq!(walked.code, Some(1), "{}", walked.said);
    let failed: Vec<_> = walked.said.lines().filter(|line| line.contains('✗')).collect();
    let [line] = failed[..] else { panic!("{}", walked.said) };
    assert!(line.ends_with("healthy ones are kept, expected at 10 %: 0 to 6"), "{line}");
    shown.up.interrupt().await;
}

/// Where all that a Collector takes goes on to.
#[derive(Clone)]
struct Masking(String);

/// A Collector that masks every name and text but the marker and the service's name.
async fn masking(to: String) -> String {
    let masked = async |State(Masking(to)): State<Masking>, Json(mut document): Json<Value>| -> StatusCode {
        mask(&mut document);
        let answer = reqwest::Client::new().post(format!("{to}/v1/traces")).json(&document).send().await.unwrap();
        answer.status()
    };
    let ignored = async || StatusCode::OK;
    serve(Router::new().route("/v1/traces", post(masked)).route("/v1/logs", post(ignored)).with_state(Masking(to)))
        .await
}

fn mask(value: &mut Value) {
    let telling = ["probe.marker", "service.name"].iter().any(|key| value["key"] == *key);
    match value {
        Value::Object(fields) => fields.iter_mut().filter(|_| !telling).for_each(|(key, value)| match key.as_str() {
            "stringValue" | "message" | "name" | "traceState" => *value = json!("****"),
            _ => mask(value),
        }),
        Value::Array(values) => values.iter_mut().for_each(mask),
        _ => {}
    }
}

#[tokio::test]
async fn redaction_shows_what_a_collector_masks() {
    let shown = Shown::start().await;
    let collector = masking(shown.address("collector", 1)).await;
    let walked = shown.explain("redaction", &["--collector", &collector]).await;
    walked.assert_as_told();
    assert_eq!(walked.after("card.number").last(), Some(&"****"));
    assert!(walked.said.contains("The Collector had nothing to mask in it."), "{}", walked.said);
    assert!(walked.said.contains("not looked at: no Loki is given"), "{}", walked.said);
    shown.up.interrupt().await;
}

#[tokio::test]
async fn redaction_names_the_secrets_that_a_collector_lets_through() {
    let shown = Shown::start().await;
    // The demo's own: it keeps what it is sent.
    let walked = shown.explain("redaction", &["--collector", &shown.address("collector", 1)]).await;
    assert_eq!(walked.code, Some(1), "{}", walked.said);
    let failed: Vec<_> = walked.said.lines().filter(|line| line.contains('✗')).collect();
    let [line] = failed[..] else { panic!("{}", walked.said) };
    let expected = ": the card number, the bearer token, the e-mail address, the password";
    assert!(line.ends_with(expected), "{line}");
    // The services' own trace holds none of theirs all the same.
    assert!(walked.said.contains("✓ none of the secrets is in its 38 spans and 2 log records\n"), "{}", walked.said);
    shown.up.interrupt().await;
}

/// A Prometheus that knows of an empty queue with room for 100, or of none.
async fn prometheus(scraping: bool) -> String {
    let answer = async move |Query(query): Query<Value>| {
        let value = if query["query"].as_str().unwrap().contains("capacity") { "100" } else { "0" };
        let series = json!([{ "metric": { "exporter": "otlp_grpc/jaeger" }, "value": [1.5, value] }]);
        Json(json!({ "data": { "result": if scraping { series } else { json!([]) } } }))
    };
    serve(Router::new().route("/api/v1/query", get(answer))).await
}

#[tokio::test]
async fn queue_asks_nobody_where_there_is_no_terminal() {
    let shown = Shown::start().await;
    let walked = shown.explain("queue", &["--prometheus", &prometheus(true).await]).await;
    walked.assert_as_told();
    assert_eq!(walked.after("otlp_grpc/jaeger"), ["0", "100"]);
    assert!(walked.said.contains("✓ 20 of 20 orders are OK") && walked.said.contains("✓ 20 of 20 traces have arrived"));
    assert!(!walked.said.contains("in another terminal"), "{}", walked.said);

    let blind = shown.explain("queue", &["--prometheus", &prometheus(false).await]).await;
    assert_eq!(blind.code, Some(1), "{}", blind.said);
    assert!(blind.complaints.contains("does it ask the Collector for its own metrics?"), "{}", blind.complaints);
    shown.up.interrupt().await;
}

#[tokio::test]
async fn a_topic_names_the_backend_that_it_needs_and_was_not_given() {
    for (topic, flags) in [
        ("sampling", &["--collector URL or DEMO_COLLECTOR=URL", "--prometheus URL or DEMO_PROMETHEUS=URL"][..]),
        ("redaction", &["--collector URL or DEMO_COLLECTOR=URL"][..]),
        ("queue", &["--prometheus URL or DEMO_PROMETHEUS=URL"][..]),
    ] {
        let walked = explain(topic, &[]).await;
        assert_eq!((walked.code, walked.said.as_str()), (Some(1), ""));
        assert!(flags.iter().all(|flag| walked.complaints.contains(flag)), "{}", walked.complaints);
    }
}

#[tokio::test]
async fn without_a_gateway_there_is_nothing_to_explain() {
    let free = bind().await.local_addr().unwrap();
    let _refusing = crate::shop::hold(free).await;
    let walked = explain("propagation", &["--gateway", &format!("http://{free}")]).await;
    assert_eq!(walked.code, Some(1));
    assert!(walked.complaints.contains("nothing answers at"), "{}", walked.complaints);
}
