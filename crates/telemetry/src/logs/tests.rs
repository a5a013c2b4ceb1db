use std::io::Write;
use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use serde_json::Value;
use tracing::{error, info, info_span, warn};
use tracing_subscriber::layer::SubscriberExt;

use super::*;

/// What was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// The lines that `work` logs.
fn logged(look: Look, filter: &str, work: impl FnOnce()) -> String {
    let written = Written::default();
    let writer = written.clone();
    let lines = lines("order", look, move || writer.clone()).with_filter(parse(filter, None).0);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), work);
    written.text()
}

/// The only line that `work` logs, as JSON; its keys are known to be unique.
fn json(work: impl FnOnce()) -> Value {
    let text = logged(Look::Json, "trace", work);
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    // An object with a key twice would come out shorter.
    assert_eq!(value.to_string().len(), text.trim_end().len(), "{text}");
    value
}

/// A context whose span comes from elsewhere.
fn remote() -> Context {
    let state = TraceState::default();
    Context::new().with_remote_span_context(SpanContext::new(
        TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap(),
        SpanId::from_hex("00f067aa0ba902b7").unwrap(),
        TraceFlags::SAMPLED,
        true,
        state,
    ))
}

#[derive(Debug, thiserror::Error)]
#[error("order could not be kept")]
struct Failed(#[source] std::io::Error);

#[test]
fn a_line_of_json_has_the_events_facts_in_order() {
    let text = logged(Look::Json, "info", || {
        let fields = (2_u64, -3_i64);
        info!(
            target: "order::orders",
            { order.id = "a b", lines = fields.0, total = fields.1, ratio = 0.5, paid = true },
            "placed"
        );
    });
    let (head, rest) = text.split_once("\"level\"").unwrap();
    assert_eq!(
        rest,
        r#":"INFO","target":"order::orders","message":"placed","fields":{"lines":2,"order.id":"a b","paid":true,"ratio":0.5,"total":-3},"service":"order"}"#
            .to_owned()
            + "\n"
    );
    // {"timestamp":"2026-11-20T12:34:56.123456Z",
    assert_eq!(head.len(), r#"{"timestamp":"","#.len() + 27);
    assert_eq!((&head[24..25], &head[33..34], &head[40..]), ("T", ".", "Z\","));
}

#[test]
fn a_line_has_the_ids_of_the_current_context_without_any_tracing_span() {
    let value = json(|| {
        let _guard = remote().attach();
        info!("placed");
    });
    assert_eq!(value["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(value["span_id"], "00f067aa0ba902b7");
    assert_eq!(value.get("span"), None);
    assert_eq!(json(|| info!("placed")).get("trace_id"), None);
}

#[test]
fn a_line_has_the_tracing_spans_it_stands_in() {
    let value = json(|| {
        let outer = info_span!("serve", peer = "a");
        let inner =
            info_span!(parent: &outer, "place_order", name = "tea", order.id = tracing::field::Empty, tries = 1);
        inner.record("order.id", "0198").record("tries", 2);
        inner.in_scope(|| info!("placed"));
    });
    let place = serde_json::json!({"name": "place_order", "fields": {"name": "tea", "order.id": "0198", "tries": 2}});
    assert_eq!(value["span"], place);
    assert_eq!(value["spans"], serde_json::json!([{"name": "serve", "fields": {"peer": "a"}}, place]));
}

#[test]
fn fields_named_like_the_lines_own_keys_do_not_clash() {
    let value = json(|| {
        let _guard = remote().attach();
        info!(service = "other", level = "x", trace_id = "y", "placed");
    });
    assert_eq!(value["service"], "order");
    assert_eq!(value["fields"], serde_json::json!({"service": "other", "level": "x", "trace_id": "y"}));
}

#[test]
fn an_error_is_written_with_its_causes() {
    let failed = Failed(std::io::Error::other("disk full"));
    let log = || error!(error = &failed as &dyn std::error::Error, "failed");
    assert_eq!(json(log)["fields"]["error"], "order could not be kept: disk full");
    assert!(logged(Look::Plain, "", log).contains(r#"failed error="order could not be kept: disk full""#));
}

#[test]
fn numbers_that_json_lacks_become_text() {
    let value = json(|| info!(ratio = f64::NAN, huge = u128::MAX, "odd"));
    assert_eq!(value["fields"]["ratio"], "NaN");
    assert_eq!(value["fields"]["huge"], u128::MAX.to_string());
}

#[test]
fn no_value_writes_control_characters() {
    for look in [Look::Json, Look::Plain] {
        let text = logged(look, "", || {
            info!(target: "a\u{1b}b", text = "\u{1b}[2J\n{}", debug = ?Some("\u{9b}31m"), "first\r\nsecond\u{7f}\u{9b}");
        });
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn a_line_for_people_has_no_escapes_without_colour() {
    let text = logged(Look::Plain, "", || {
        let _guard = remote().attach();
        warn!(target: "order::orders", { order.id = "0198", note = "two words", text = %"x" }, "declined");
    });
    let (time, rest) = text.split_once(' ').unwrap();
    assert_eq!(time.len(), "12:34:56.789".len());
    assert_eq!(
        rest,
        " WARN order::orders: declined order.id=0198 note=\"two words\" text=x \
         trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n"
    );
}

#[test]
fn levels_are_coloured_where_colours_are_wanted() {
    let text = logged(Look::Coloured, "", || error!("failed"));
    assert!(text.contains("\u{1b}[31mERROR\u{1b}[0m"), "{text:?}");
    assert!(text.ends_with(" failed\n"), "{text:?}");
}

#[test]
fn records_of_the_log_crate_keep_their_target_and_level() {
    let record = || {
        let arguments = format_args!("slow");
        let mut builder = tracing_log::log::Record::builder();
        let record = builder.level(tracing_log::log::Level::Warn).target("sqlx::query").args(arguments).build();
        tracing_log::format_trace(&record).unwrap();
    };
    let value = json(record);
    assert_eq!(
        (&value["level"], &value["target"], &value["message"]),
        (&"WARN".into(), &"sqlx::query".into(), &"slow".into())
    );
    assert_eq!(value["fields"], serde_json::json!({}));
    assert!(logged(Look::Plain, "", record).ends_with(" WARN sqlx::query: slow\n"));
    assert_eq!(logged(Look::Plain, "info,sqlx=error", record), "");
}

#[track_caller]
fn check(filter: &str, expected: &str) {
    let lines = logged(Look::Plain, filter, || {
        tracing::debug!(target: "h2::codec", "h2 debug");
        tracing::warn!(target: "hyper_util::client", "hyper warn");
        tracing::debug!(target: "hyper_util::client", "hyper debug");
        tracing::debug!(target: "order", "order debug");
        tracing::info!(target: "order", "order info");
    });
    let messages: Vec<_> = lines.lines().filter_map(|line| line.split_once(": ")).map(|(_, message)| message).collect();
    assert_eq!(messages.join(", "), expected, "{filter}");
}

#[test]
fn libraries_below_are_quiet_unless_named() {
    check("", "hyper warn, order info");
    check(" , ", "hyper warn, order info");
    check("debug,", "hyper warn, order debug, order info");
    check("debug,h2=debug", "h2 debug, hyper warn, order debug, order info");
    check("info,hyper_util=debug", "hyper warn, hyper debug, order info");
    check("order[{id}]=info,info,h2::codec=trace", "h2 debug, hyper warn, order info");
}

#[test]
fn libraries_below_are_never_louder_than_asked() {
    check("off", "");
    check("error", "");
    check("order=info", "order info");
    check("off, order=info", "order info");
    check("warn,hyper=debug", "hyper warn, hyper debug");
}

#[test]
fn a_filter_that_cannot_be_read_is_reported_and_replaced() {
    for text in ["order=loud", "a=b=c", "info,[x"] {
        let (filter, error) = parse(text, None);
        assert!(error.is_some(), "{text}");
        assert_eq!(filter.to_string(), parse("", None).0.to_string(), "{text}");
    }
    assert!(parse("INFO, order=debug", None).1.is_none());
}

#[test]
fn what_telemetry_tells_of_itself_has_a_level_of_its_own() {
    let told = |filter: &str, own| with_libraries(filter, own);
    assert_eq!(told("order=debug", None), "order=debug");
    assert_eq!(told("order=debug", Some(LevelFilter::OFF)), "order=debug,telemetry=off,opentelemetry=off");
    let named = told("warn,telemetry=trace", Some(LevelFilter::ERROR));
    assert!(named.starts_with("warn,telemetry=trace,") && named.ends_with(",opentelemetry=error"), "{named}");
}
