//! Brings `#[tracing::instrument]` spans and `tracing` events into the traces: spans nest under the current span of the
//! OpenTelemetry context, events become events of it.

use std::fmt;

use opentelemetry::trace::{SpanBuilder, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::{Context as LayerContext, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::attributes::last_of_each;
use crate::scope::{self, Owner, is_recorded};
use crate::semconv;

/// Marks log records whose span event has been added already.
pub(crate) const EXCEPTION_TARGET: &str = "telemetry::exception";

/// The libraries under the exporter. What they log while it exports must never be exported itself.
const BELOW_THE_EXPORTER: [&str; 14] = [
    "h2",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "tokio_rustls",
    "tonic",
    "tower",
    "tower_http",
    "reqwest",
    "rustls",
    "sqlx",
    "sqlx_core",
    "sqlx_sqlite",
    "rustls_platform_verifier",
];

/// What tells of exporting. It would add to what it tells of.
const EXPORTER: &str = "telemetry::pipeline";

/// Whether spans and events of `metadata` may reach traces and exported logs, whatever `RUST_LOG` says. A crate is
/// known by its whole name: an application may be called `tonic_shop`.
fn may_leave(target: &str, level: &Level) -> bool {
    // Asked of every event: a search for "::" takes ten times as long.
    let end = target.as_bytes().iter().position(|byte| *byte == b':');
    let krate = &target[..end.unwrap_or(target.len())];
    let is_exporting =
        BELOW_THE_EXPORTER.contains(&krate) || krate.starts_with("opentelemetry") || target.starts_with(EXPORTER);
    *level <= Level::INFO && !is_exporting
}

/// The spans that may reach traces, whatever `RUST_LOG` says.
fn exported_spans() -> Exported {
    let filter: fn(&Metadata<'_>) -> bool =
        |metadata| metadata.is_span() && may_leave(metadata.target(), metadata.level());
    FilterFn::new(filter).with_max_level_hint(LevelFilter::INFO)
}

/// The events that may reach traces and exported logs, whatever `RUST_LOG` says.
pub(crate) fn exported_events() -> Exported {
    let filter: fn(&Metadata<'_>) -> bool =
        |metadata| metadata.is_event() && may_leave(metadata.target(), metadata.level());
    FilterFn::new(filter).with_max_level_hint(LevelFilter::INFO)
}

type Exported = FilterFn<fn(&Metadata<'_>) -> bool>;

/// The layers that carry spans and events over. Spans outside any call go to `fallback`; those below one that is not
/// recorded are not made, for any layer of the subscriber.
pub(crate) fn layer<S>(fallback: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let spans = OpenTelemetryLayer::new(ContextTracer { fallback })
        .with_context_activation(true)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false);
    // Only spans: an ERROR event would overwrite the status that the handler's answer decides.
    spans
        .with_filter(exported_spans())
        .and_then(EventBridge.with_filter(exported_events()))
        .and_then(Gate.with_filter(Gate))
}

/// Makes each span with the tracer of the service whose call it belongs to. tracing-opentelemetry's layer knows one
/// tracer only, and a process may hold several services.
#[derive(Clone, Debug)]
struct ContextTracer {
    fallback: SdkTracer,
}

/// Adds events to the current span.
struct EventBridge;

/// Lets no span be made that would be below one that is not recorded, for no layer of the subscriber: a layer's `enabled`
/// speaks for all. As its own filter it says of which spans it is to be asked each time, and leaves the others alone.
struct Gate;

/// An event's message and its other fields.
#[derive(Default)]
struct Fields {
    message: String,
    attributes: Vec<KeyValue>,
}

// === impl ContextTracer ===

impl Tracer for ContextTracer {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        let tracer = parent.get().map_or(&self.fallback, |Owner(tracer)| tracer);
        tracer.build_with_context(builder, parent)
    }
}

// === impl Gate ===

impl<S: Subscriber> Layer<S> for Gate {
    fn enabled(&self, _: &Metadata<'_>, _: LayerContext<'_, S>) -> bool {
        !Context::map_current(scope::is_unrecorded)
    }
}

impl<S> Filter<S> for Gate {
    fn enabled(&self, metadata: &Metadata<'_>, _: &LayerContext<'_, S>) -> bool {
        metadata.is_span() && may_leave(metadata.target(), metadata.level())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let is_asked = metadata.is_span() && may_leave(metadata.target(), metadata.level());
        if is_asked { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

// === impl EventBridge ===

impl<S: Subscriber> Layer<S> for EventBridge {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        if !is_recorded() {
            return;
        }
        // Records of the `log` crate come under one target; their own is in the normalised metadata.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        if metadata.target() == EXCEPTION_TARGET || !may_leave(metadata.target(), metadata.level()) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        fields.name_exception();
        fields.attributes.push(KeyValue::new("level", metadata.level().as_str()));
        last_of_each(&mut fields.attributes);
        // A field's own `Debug` may have entered a span, which a borrowed context would not have allowed.
        Context::map_current(|cx| cx.span().add_event(fields.message, fields.attributes));
    }
}

// === impl Fields ===

impl Fields {
    /// `#[instrument(err)]` makes an event that has an `error` and no message: it is the exception's.
    fn name_exception(&mut self) {
        if let Some(error) = self.attributes.iter_mut().find(|it| it.key.as_str() == "error" && self.message.is_empty())
        {
            error.key = semconv::EXCEPTION_MESSAGE.into();
            semconv::EXCEPTION_EVENT.clone_into(&mut self.message);
        }
    }

    fn add(&mut self, field: &Field, value: impl Into<opentelemetry::Value>) {
        // The `log` crate's own fields repeat the record's metadata.
        if !field.name().starts_with("log.") {
            self.attributes.push(KeyValue::new(field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.add(field, format!("{value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ => self.add(field, value.to_owned()),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.add(field, value),
            Err(_) => self.add(field, value.to_string()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}
