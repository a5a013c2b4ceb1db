//! `tracing` events and records of the `log` crate as lines on stderr: for people on a terminal, as JSON otherwise.
//!
//! On a terminal:
//!
//! ```text
//! 12:34:56.789  INFO order::orders: order placed order.id=0198 trace_id=4bf92f3577b34da6a3ce929d0e0e4736
//! ```
//!
//! Otherwise one JSON object a line, with these keys in this order: `timestamp`, `level`, `target`, `message`, `fields`,
//! `service`, `trace_id` and `span_id` where there is a current span, `span` and `spans` (from the outermost to the
//! innermost) where there are `tracing` spans, each with its `name` and `fields`. A call that is not sampled has none.
//!
//! The ids are those of the current OpenTelemetry context, so they are right with or without `tracing` spans, and
//! whatever the filter says. No value can write control characters to the terminal.

mod escape;
mod fields;
mod json;
mod pretty;

use std::io::{self, IsTerminal};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_log::LogTracer;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

pub(crate) use escape::Escaped;
use fields::JsonFields;
use json::Json;
use pretty::{NoFields, Pretty};

/// RFC 3339 in UTC with microseconds, always of the same length.
pub(crate) const TIMESTAMP: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// The filter where none is asked for, and where the one that is asked for cannot be read.
const DEFAULT: &str = "info";

/// Libraries that are kept at a level of their own, by the prefix of their targets. OpenTelemetry's would repeat each
/// failed export several times; the pipeline says once that exporting fails, and once that it works again.
const QUIET: [(&str, LevelFilter); 8] = [
    ("h2", LevelFilter::WARN),
    ("hyper", LevelFilter::WARN),
    ("opentelemetry", LevelFilter::OFF),
    ("reqwest", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    // It repeats an error that whoever connects gets as well.
    ("rustls_platform_verifier", LevelFilter::OFF),
    ("tonic", LevelFilter::WARN),
    ("tower", LevelFilter::WARN),
];

/// What tells of telemetry itself, by the prefix of its targets.
const OWN: [&str; 2] = ["telemetry", "opentelemetry"];

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Json,
    Plain,
    Coloured,
}

/// The layer that writes to stderr, and what is wrong with `filter` if it cannot be read.
///
/// `filter` is in the syntax of `RUST_LOG`; empty is `info`, and so is one that cannot be read. HTTP and TLS libraries
/// are kept at `warn` and OpenTelemetry's off, unless it names them. What telemetry tells of itself has the level `own`,
/// if there is one, unless the filter names it.
pub(crate) fn layer<S>(
    service_name: &str,
    filter: &str,
    own: Option<LevelFilter>,
) -> (impl Layer<S> + use<S>, Option<ParseError>)
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    // NO_COLOR speaks of the terminal, which the process has one of (https://no-color.org).
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let look = match (io::stderr().is_terminal(), no_colour) {
        (false, _) => Look::Json,
        (true, true) => Look::Plain,
        (true, false) => Look::Coloured,
    };
    let (filter, error) = parse(filter, own);
    (lines(service_name, look, io::stderr).with_filter(filter), error)
}

/// Makes the records of the `log` crate events, unless the process has a logger already, which then keeps them.
///
/// To be called after the subscriber is installed: with its feature `tracing-log`, which any crate of a build may switch
/// on, tracing-subscriber does the same while installing one, and fails if it is not the first.
pub(crate) fn bridge_log_crate() {
    let _ = LogTracer::init();
}

/// Every event as a line to `writer`.
fn lines<S, W>(service_name: &str, look: Look, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // A line that cannot be written is lost; complaining on the same stderr would panic.
    let layer = fmt::layer().with_writer(writer).with_ansi(look == Look::Coloured).log_internal_errors(false);
    match look {
        Look::Json => layer.fmt_fields(JsonFields).event_format(Json::new(service_name)).boxed(),
        Look::Plain | Look::Coloured => layer.fmt_fields(NoFields).event_format(Pretty).boxed(),
    }
}

/// The filter of `text`, or the default one and what is wrong with the text.
fn parse(text: &str, own: Option<LevelFilter>) -> (EnvFilter, Option<ParseError>) {
    let text = if text.trim_matches([',', ' ']).is_empty() { DEFAULT } else { text };
    let parse = |text| EnvFilter::builder().parse(with_libraries(text, own));
    match parse(text) {
        Ok(filter) => (filter, None),
        Err(error) => (parse(DEFAULT).expect("the default is a valid filter"), Some(error)),
    }
}

/// The filter with a directive for each noisy library that it lets speak without naming it, and for telemetry itself. The
/// longest matching target decides, so that `hyper_util=debug` holds beside `hyper=warn`, and of two the last.
fn with_libraries(filter: &str, own: Option<LevelFilter>) -> String {
    let directives: Vec<_> = filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let named: Vec<_> = directives.iter().filter_map(|directive| directive.split(['=', '[']).next()).collect();
    let general = directives.iter().rev().find_map(|directive| directive.parse::<LevelFilter>().ok());
    let quiet = QUIET.into_iter().filter(|(_, level)| general.is_some_and(|general| general > *level));
    let own = own.into_iter().flat_map(|level| OWN.map(|library| (library, level)));
    let unnamed = quiet.chain(own).filter(|(library, _)| !named.contains(library));
    let added = unnamed.map(|(library, level)| format!("{library}={level}"));
    directives.iter().map(|directive| (*directive).to_owned()).chain(added).collect::<Vec<_>>().join(",")
}

/// The current span, if there is one.
fn current() -> Option<SpanContext> {
    Context::map_current(|cx| Some(cx.span().span_context().clone()).filter(SpanContext::is_valid))
}

#[cfg(test)]
mod tests;
