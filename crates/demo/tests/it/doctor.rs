//! `demo doctor` names the first hop that a trace does not get past: each cause that the README lists is brought about
//! here, on servers that run.

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::Value;
use tokio::time::timeout;
use tonic::Code;

use crate::calls::order;
use crate::collected::Collector;
use crate::markdown::table;
use crate::process::{Servers, demo};
use crate::readme::readme;
use crate::shop::{PATIENCE, bind};

mod receivers;
mod addresses;

use receivers::{answering, nowhere, untrusted, with_wrong_clock};

/// What the table in the README begins with.
const TABLE: &str = "| what is wrong |";

/// A running shop, the collector that its view is, and where it sends its spans to.
struct Patient {
    servers: Servers,
    collector: Collector,
}

/// What the doctor says.
struct Diagnosis {
    hops: BTreeMap<String, Value>,
    stops_at: Option<String>,
    output: Output,
}

type Variables = Vec<(&'static str, String)>;

// === impl Patient ===

impl Patient {
    /// A shop that exports to its collector, one of its services with variables of its own.
    async fn with(service: &'static str, own: &[(&'static str, &str)]) -> Self {
        let collector = Collector::start().await;
        let otlp = collector.otlp();
        let own: Variables = own.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let variables = |name: &str| {
            let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "10")];
            let mut all: Variables = exporting.map(|(name, value)| (name, value.to_owned())).into();
            if name == service {
                all.extend(own.clone());
            }
            all
        };
        Self { servers: Servers::start_with(variables).await, collector }
    }

    /// A shop whose payment service exports to `endpoint`.
    async fn exporting(endpoint: &str) -> Self {
        Self::with("payment", &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]).await
    }

    async fn diagnosed(&self, flags: &[&str]) -> Diagnosis {
        let output = self.ask(&[&["--json"], flags].concat()).await;
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let hops = told["hops"].as_array().unwrap().iter();
        let hops = hops.map(|hop| (hop["hop"].as_str().unwrap().to_owned(), hop.clone())).collect();
        Diagnosis { hops, stops_at: told["stops_at"].as_str().map(str::to_owned), output }
    }

    async fn ask(&self, flags: &[&str]) -> Output {
        let mut command = demo();
        for (name, [service, admin]) in [
            ("gateway", ["DEMO_GATEWAY", "DEMO_GATEWAY_ADMIN"]),
            ("order", ["DEMO_ORDER", "DEMO_ORDER_ADMIN"]),
            ("payment", ["DEMO_PAYMENT", "DEMO_PAYMENT_ADMIN"]),
        ] {
            if let [rpc, asked] = self.servers.addresses(name) {
                command.env(service, rpc.to_string()).env(admin, asked.to_string());
            }
        }
        command.env("DEMO_VIEW", self.collector.query.to_string()).arg("doctor").args(flags);
        timeout(PATIENCE, command.output()).await.unwrap().unwrap()
    }
}

impl Servers {
    /// Places orders until no span of a service finds room any more. It is one whose collector never answers.
    async fn fill_the_queue_of(&self, name: &str) {
        let url = format!("http://{}/telemetry", self.addresses(name)[1]);
        // In flight, and in the queue of one.
        const ROOM: u64 = 16 + 1;
        let full = async {
            loop {
                let told: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
                if told["export"]["spans"]["queued"].as_u64().unwrap() == ROOM {
                    break;
                }
                self.client.clone().place_order(order("tok_visa")).await.unwrap();
            }
        };
        timeout(PATIENCE, full).await.unwrap();
    }
}

// === impl Diagnosis ===

impl Diagnosis {
    /// Asserts that the trace stops at `hop`, for the reason that the README has for this cause.
    #[track_caller]
    fn assert_cause(&self, cause: &str, hop: &str) {
        let told = String::from_utf8_lossy(&self.output.stdout);
        assert_eq!(self.stops_at.as_deref(), Some(hop), "{told}");
        assert_eq!(self.output.status.code(), Some(1), "{told}");
        let found = &self.hops[hop];
        let said = format!("{} → {}", found["detail"].as_str().unwrap(), found["advice"].as_str().unwrap_or_default());
        let expected = causes().remove(cause).unwrap_or_else(|| panic!("the README knows nothing of {cause:?}"));
        assert!(said.contains(&expected), "{said}\nlacks {expected}");
    }

    fn detail(&self, hop: &str) -> &str {
        self.hops[hop]["detail"].as_str().unwrap()
    }
}

/// The README's causes, each with a part of what the doctor says of it.
fn causes() -> BTreeMap<String, String> {
    let rows = table(&readme(), TABLE).into_iter();
    rows.map(|row| (row[0].clone(), row[1].trim_matches('`').to_owned())).collect()
}

#[tokio::test]
async fn of_a_healthy_shop_nothing_is_missing() {
    let patient = Patient::with("gateway", &[]).await;
    let found = patient.diagnosed(&["--collector", &patient.collector.http.to_string()]).await;
    assert_eq!((found.stops_at.as_deref(), found.output.status.code()), (None, Some(0)), "{:?}", found.output);
    let expected = ["collector", "gateway", "gateway → order", "order", "payment", "view"];
    assert_eq!(found.hops.keys().collect::<Vec<_>>(), expected);
    assert!(found.hops.values().all(|hop| hop["outcome"] == "held"), "{:?}", found.hops);
    let sent = format!("its span has arrived, sent to {} (grpc)", patient.collector.grpc);
    assert!(["gateway", "order", "payment"].iter().all(|hop| found.detail(hop) == sent), "{:?}", found.hops);

    let told = patient.ask(&[]).await;
    let screen = String::from_utf8(told.stdout).unwrap();
    assert!(screen.starts_with(&format!("  ✓ gateway         {sent}\n  ✓ order")), "{screen}");
    assert!(screen.contains("\n  Nothing is missing. This was trace "), "{screen}");
    assert!(told.stderr.is_empty() && !screen.contains('\u{1b}'), "{screen}");
    patient.servers.terminate().await;
}

#[tokio::test]
async fn a_gateway_that_believes_nobody_is_healthy() {
    let patient = Patient::with("gateway", &[("GATEWAY_TRUST_TRACE", "none")]).await;
    let found = patient.diagnosed(&[]).await;
    assert_eq!((found.stops_at.as_deref(), found.output.status.code()), (None, Some(0)), "{:?}", found.output);
    assert_eq!(found.detail("gateway → order"), "one trace");
}

#[tokio::test]
async fn a_service_that_does_not_run() {
    let mut patient = Patient::with("gateway", &[]).await;
    patient.servers.kill("order").await;
    let found = patient.diagnosed(&[]).await;
    found.assert_cause("a service does not run", "order");
    // The span of the one before it has arrived all the same.
    assert!(found.detail("gateway → order").starts_with("the gateway answers UNAVAILABLE"), "{:?}", found.hops);
    let screen = String::from_utf8(patient.ask(&[]).await.stdout).unwrap();
    assert!(screen.ends_with("  The trace stops at order.\n"), "{screen}");
}

#[tokio::test]
async fn an_exporter_to_nobody() {
    let (nowhere, _held) = nowhere().await;
    let found = Patient::exporting(&nowhere).await.diagnosed(&[]).await;
    found.assert_cause("no collector listens", "payment");
}

#[tokio::test]
async fn an_exporter_to_a_port_of_another_protocol() {
    let other = Collector::start().await;
    let found = Patient::exporting(&format!("http://{}", other.http)).await.diagnosed(&[]).await;
    found.assert_cause("the port speaks another protocol", "payment");
}

#[tokio::test]
async fn an_exporter_that_does_not_trust_the_certificate() {
    let found = Patient::exporting(&untrusted().await).await.diagnosed(&[]).await;
    found.assert_cause("TLS is refused", "payment");
}

#[tokio::test]
async fn an_exporter_without_its_token() {
    let receiver = answering(Code::Unauthenticated, "who are you").await;
    let found = Patient::exporting(&receiver).await.diagnosed(&[]).await;
    found.assert_cause("the collector wants a token", "payment");
}

#[tokio::test]
async fn a_receiver_that_is_full() {
    let receiver = answering(Code::ResourceExhausted, "sending queue is full").await;
    let found = Patient::exporting(&receiver).await.diagnosed(&[]).await;
    found.assert_cause("the collector is full", "payment");
    assert!(found.detail("payment").contains("sending queue is full"), "{:?}", found.hops);
}

#[tokio::test]
async fn a_sampler_that_says_no() {
    let patient = Patient::with("order", &[("OTEL_TRACES_SAMPLER", "always_off")]).await;
    let found = patient.diagnosed(&[]).await;
    found.assert_cause("the sampler says no", "order");
    assert_eq!(found.hops["order"]["advice"].as_str().unwrap().matches("OTEL_TRACES_SAMPLER").count(), 1);
}

#[tokio::test]
async fn an_exporter_that_is_switched_off() {
    let patient = Patient::with("payment", &[("OTEL_TRACES_EXPORTER", "none")]).await;
    patient.diagnosed(&[]).await.assert_cause("the exporter is `none`", "payment");
    let patient = Patient::with("payment", &[("OTEL_SDK_DISABLED", "true")]).await;
    patient.diagnosed(&[]).await.assert_cause("the SDK is disabled", "payment");
    let patient = Patient::with("payment", &[("OTEL_TRACES_EXPORTER", "console")]).await;
    patient.diagnosed(&[]).await.assert_cause("the exporter is `console`", "payment");
}

#[tokio::test]
async fn a_service_that_passes_no_context_on() {
    let patient = Patient::with("order", &[("OTEL_PROPAGATORS", "none")]).await;
    patient.diagnosed(&[]).await.assert_cause("a service does not go on with its caller's trace", "order");
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let patient = Patient::with("gateway", &[]).await;
    let wrong = with_wrong_clock(patient.servers.addresses("payment")[1], -42.0).await;
    let found = patient.diagnosed(&["--payment-admin", &wrong]).await;
    found.assert_cause("a clock is wrong", "payment");
}

#[tokio::test]
async fn spans_that_are_dropped() {
    // Accepts connections and never answers: what waits for it fills the queue.
    let silent = bind().await;
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let own = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
    ];
    let patient = Patient::with("order", &own).await;
    patient.servers.fill_the_queue_of("order").await;
    patient.diagnosed(&["--wait", "1s"]).await.assert_cause("spans are dropped", "order");
}

#[tokio::test]
async fn spans_that_wait_for_their_time() {
    let patient = Patient::with("order", &[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]).await;
    let found = patient.diagnosed(&["--wait", "1s"]).await;
    found.assert_cause("spans are sent rarely", "order");
}

#[tokio::test]
async fn a_view_of_another_collector() {
    let other = Collector::start().await;
    let patient = Patient::with("gateway", &[]).await;
    let found = patient.diagnosed(&["--wait", "1s", "--view", &other.query.to_string()]).await;
    found.assert_cause("the collector does not hand spans on", "view");
    assert!(found.detail("gateway").starts_with("its span was taken by"), "{:?}", found.hops);
}

#[tokio::test]
async fn a_view_that_is_not_there() {
    let (nowhere, _held) = nowhere().await;
    let patient = Patient::with("gateway", &[]).await;
    let found = patient.diagnosed(&["--view", &nowhere]).await;
    found.assert_cause("the view does not run", "view");
}

#[tokio::test]
async fn where_nobody_listens_one_line_says_how_to_start() {
    let patient = Patient::with("gateway", &[]).await;
    let (nowhere, _held) = nowhere().await;
    let flags = ["--gateway", "--order", "--payment", "--view"].map(|flag| [flag, nowhere.as_str()]);
    let told = patient.ask(flags.as_flattened()).await;
    let screen = String::from_utf8(told.stdout).unwrap();
    assert_eq!((told.status.code(), screen.matches("is the demo running?").count()), (Some(1), 1), "{screen}");
}

#[test]
fn each_cause_of_the_readme_is_brought_about() {
    let tested = include_str!("doctor.rs");
    let untested: Vec<_> = causes().into_keys().filter(|cause| !tested.contains(&format!("({cause:?}, "))).collect();
    assert!(!causes().is_empty() && untested.is_empty(), "{untested:?}");
}
