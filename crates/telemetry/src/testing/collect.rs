use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanKind, Status, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tokio::sync::watch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::attributes::last_of_each;
use crate::environment::Environment;
use crate::handle::Telemetry;
use crate::init::propagators;
use crate::pipeline::Pipeline;
use crate::semconv;
use crate::service::Service;
use crate::testing::trace::{SpanRecord, Trace};

/// How long a trace may take to end before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The spans of one test, from as many services as it has.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    spans: Mutex<Known>,
    changes: watch::Sender<()>,
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
}

// === impl Spans ===

impl Spans {
    /// Collects nothing yet. Brings `#[tracing::instrument]` spans and events along, as `telemetry::init` does.
    pub fn new() -> Self {
        static BRIDGE: Once = Once::new();
        BRIDGE.call_once(|| {
            let nowhere = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build().tracer("");
            // A test that has a subscriber of its own keeps it.
            let _ = tracing_subscriber::registry().with(crate::bridge::layer(nowhere)).try_init();
        });
        Self::default()
    }

    /// Telemetry of a service whose spans are collected here.
    pub fn service(&self, service: Service) -> Telemetry {
        self.service_in(service, &Environment::default())
    }

    /// The same with `OTEL_*` variables: sampler, propagators and resource follow them.
    pub fn service_in(&self, service: Service, environment: &Environment) -> Telemetry {
        let processor = Collecting { seen: Arc::clone(&self.seen), service: service.name(environment) };
        let pipeline = Pipeline::collecting(environment, service.resource(environment), processor);
        Telemetry::of(pipeline, propagators(environment).0)
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
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
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
        last_of_each(&mut span.attributes);
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
