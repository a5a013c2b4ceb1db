use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanKind, Status, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tokio::sync::watch;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment::Environment;
use crate::handle::Telemetry;
use crate::http_method::KnownMethods;
use crate::init::propagators;
use crate::limits::Limits;
use crate::lock::lock;
use crate::pipeline::Pipeline;
use crate::semconv;
use crate::service::Service;
use crate::testing::logs::{LogCollector, collect_for};
use crate::testing::metrics::Metrics;
use crate::testing::reader::{Measuring, OnDemand};
use crate::testing::trace::{SpanRecord, Trace};

/// How long a trace may take to end before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often metrics are looked at that nobody tells of.
const GLANCE: Duration = Duration::from_millis(5);

/// The spans and metrics of one test, from as many services as it has.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    spans: Mutex<Known>,
    logs: Mutex<Vec<String>>,
    changes: watch::Sender<()>,
    measuring: Mutex<Vec<Measuring>>,
}

#[derive(Debug, Default)]
struct Known {
    ended: Vec<SpanRecord>,
    /// Trace and span id of what has started, with its name.
    open: BTreeMap<(String, String), String>,
}

/// Collects the spans of one service.
#[derive(Debug)]
struct Collecting {
    seen: Arc<Seen>,
    service: String,
    limits: Limits,
}

// === impl Spans ===

impl Spans {
    /// Collects nothing yet. Brings `#[tracing::instrument]` spans and events along, as `telemetry::init` does.
    pub fn new() -> Self {
        static BRIDGE: Once = Once::new();
        BRIDGE.call_once(|| {
            let nowhere = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build().tracer("");
            // A test that has a subscriber of its own keeps it.
            let logs = LogCollector.with_filter(crate::bridge::exported_events());
            let _ = tracing_subscriber::registry().with(crate::bridge::layer(nowhere)).with(logs).try_init();
        });
        let spans = Self::default();
        collect_for(Arc::downgrade(&spans.seen));
        spans
    }

    /// Telemetry of a service whose spans and metrics are collected here.
    pub fn service(&self, service: Service) -> Telemetry {
        self.service_in(service, &Environment::default())
    }

    /// The same with `OTEL_*` variables: sampler, propagators and resource follow them, and there are no metrics with
    /// `OTEL_METRICS_EXPORTER=none`.
    pub fn service_in(&self, service: Service, environment: &Environment) -> Telemetry {
        let (name, reader) = (service.name(environment), OnDemand::default());
        let limits = Limits::of(environment);
        let processor = Collecting { seen: Arc::clone(&self.seen), service: name.clone(), limits };
        let (resource, sampler) = (service.resource(environment), service.sampler(environment));
        let pipeline = Pipeline::collecting(environment, resource, sampler, processor, reader.clone());
        if let Some(provider) = pipeline.metrics() {
            self.seen.measuring().push(Measuring::new(name, reader, provider));
        }
        Telemetry::of(pipeline, propagators(environment), KnownMethods::of(environment))
    }

    /// One trace, once each of its spans has ended.
    ///
    /// # Panics
    /// If that takes more than 20 s: names what is still open.
    pub async fn trace(&self, trace_id: &str) -> Trace {
        self.settled(|known| {
            let is_open = known.open.keys().any(|(trace, _)| trace == trace_id);
            let spans: Vec<_> = known.ended.iter().filter(|span| span.trace_id == trace_id).cloned().collect();
            (!is_open && !spans.is_empty()).then(|| Trace::new(spans))
        })
        .await
    }

    /// Every trace, once all spans have ended: each in the order its first span started.
    ///
    /// # Panics
    /// If that takes more than 20 s: names what is still open.
    pub async fn traces(&self) -> Vec<Trace> {
        let spans = self.settled(|known| known.open.is_empty().then(|| known.ended.clone())).await;
        let mut ids: Vec<_> = spans.iter().map(|span| (span.start, span.trace_id.clone())).collect();
        ids.sort();
        let mut seen = BTreeSet::new();
        ids.retain(|(_, id)| seen.insert(id.clone()));
        let of = |id: &str| spans.iter().filter(|span| span.trace_id == id).cloned().collect();
        ids.iter().map(|(_, id)| Trace::new(of(id))).collect()
    }

    /// The log records made in spans of the test so far, in order: a line each, `LEVEL target message [key=value, ..]`.
    ///
    /// Those that could leave the process: INFO and above, and not of the libraries below the exporter. None of a test that
    /// sets a subscriber of its own.
    pub fn logs(&self) -> Vec<String> {
        lock(&self.seen.logs).clone()
    }

    /// What has been measured, once all spans have ended and no call and no request is in flight.
    ///
    /// # Panics
    /// If that takes more than 20 s: names what is still open, or in flight.
    pub async fn metrics(&self) -> Metrics {
        self.settled(|known| known.open.is_empty().then_some(())).await;
        let wait = async {
            loop {
                let metrics = self.metrics_now();
                if metrics.is_idle() {
                    return metrics;
                }
                // A call without a span tells nobody that it has ended.
                tokio::time::sleep(GLANCE).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(metrics) => metrics,
            Err(_) => panic!("calls did not end:\n{}", self.metrics_now().render("")),
        }
    }

    /// What has been measured so far.
    pub fn metrics_now(&self) -> Metrics {
        Metrics::new(self.seen.measuring().iter().flat_map(Measuring::points).collect())
    }

    async fn settled<T>(&self, check: impl Fn(&Known) -> Option<T>) -> T {
        let mut changes = self.seen.changes.subscribe();
        let wait = async {
            loop {
                if let Some(found) = check(&self.seen.lock()) {
                    return found;
                }
                changes.changed().await.expect("the sender is held by self");
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => {
                let known = self.seen.lock();
                let ended: Vec<_> = known.ended.iter().map(|span| &span.name).collect();
                panic!("the spans did not end; open: {:?}; ended: {ended:?}", known.open.values())
            }
        }
    }
}

// === impl Seen ===

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Known> {
        lock(&self.spans)
    }

    /// Whether this span has started here and not ended.
    pub(super) fn is_open(&self, id: &(String, String)) -> bool {
        self.lock().open.contains_key(id)
    }

    pub(super) fn log(&self, line: String) {
        lock(&self.logs).push(line);
    }

    fn measuring(&self) -> MutexGuard<'_, Vec<Measuring>> {
        lock(&self.measuring)
    }
}

// === impl Collecting ===

impl SpanProcessor for Collecting {
    fn on_start(&self, span: &mut Span, _: &Context) {
        let context = span.span_context();
        let id = (context.trace_id().to_string(), context.span_id().to_string());
        let name = span.exported_data().map(|data| data.name.into_owned());
        self.seen.lock().open.insert(id, format!("{} {}", self.service, name.unwrap_or_default()));
    }

    fn on_end(&self, mut span: SpanData) {
        self.limits.apply(&mut span);
        let is_sampled = span.span_context.is_sampled();
        let record = record(&self.service, span);
        let mut known = self.seen.lock();
        known.open.remove(&(record.trace_id.clone(), record.span_id.clone()));
        if is_sampled {
            known.ended.push(record);
        }
        drop(known);
        self.seen.changes.send_replace(());
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(name) = resource.get(&semconv::SERVICE_NAME.into()) {
            self.service = name.to_string();
        }
    }
}

fn record(service: &str, span: SpanData) -> SpanRecord {
    let nanos = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos().try_into().unwrap_or(u64::MAX))
    };
    let pairs = |attributes: Vec<KeyValue>| attributes.into_iter().map(|kv| (kv.key.to_string(), kv.value.to_string()));
    SpanRecord {
        trace_id: span.span_context.trace_id().to_string(),
        span_id: span.span_context.span_id().to_string(),
        parent_span_id: (span.parent_span_id != opentelemetry::SpanId::INVALID)
            .then(|| span.parent_span_id.to_string()),
        service: service.to_owned(),
        kind: match span.span_kind {
            SpanKind::Client => "CLIENT",
            SpanKind::Server => "SERVER",
            SpanKind::Producer => "PRODUCER",
            SpanKind::Consumer => "CONSUMER",
            SpanKind::Internal => "INTERNAL",
        }
        .to_owned(),
        name: span.name.into_owned(),
        is_error: matches!(span.status, Status::Error { .. }),
        status_message: match span.status {
            Status::Error { description } => description.into_owned(),
            Status::Ok | Status::Unset => String::new(),
        },
        start: nanos(span.start_time),
        end: nanos(span.end_time),
        attributes: pairs(span.attributes).collect(),
        events: span
            .events
            .iter()
            .map(|event| (event.name.to_string(), pairs(event.attributes.clone()).collect()))
            .collect(),
        links: span
            .links
            .iter()
            .map(|link| (link.span_context.trace_id().to_string(), link.span_context.span_id().to_string()))
            .collect(),
    }
}
