//! How long statements take, by what they do.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use opentelemetry::metrics::{BoundHistogram, Histogram, Meter};
use opentelemetry::{KeyValue, StringValue};

use super::DatabaseSystem;
use super::sql::without_values;
use super::summary::summary;
use crate::attributes::bounded;
use crate::lock::{read, write};
use crate::semconv;

/// The bounds, in seconds, of the buckets that the conventions ask for (semantic conventions 1.45,
/// `docs/db/database-metrics.md`).
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// How many texts are known at most; others are read every time.
const MOST_TEXTS: usize = 512;

/// Measures the statements of one database.
#[derive(Debug)]
pub(super) struct StatementMeter {
    duration: Histogram<f64>,
    /// What is said of every statement.
    common: Vec<KeyValue>,
}

/// The classes of the texts that have run, so that each is read once.
#[derive(Debug)]
pub(super) struct Known {
    system: DatabaseSystem,
    texts: RwLock<HashMap<Box<str>, Arc<Class>>>,
}

/// The statements of one text.
#[derive(Debug)]
pub(super) struct Class {
    system: DatabaseSystem,
    summary: String,
    /// The text of the statements without its values, no longer than an attribute may be.
    text: OnceLock<Arc<str>>,
    /// Whether it is kept, so that a series may be bound to it.
    is_kept: bool,
    succeeded: OnceLock<BoundHistogram<f64>>,
}

/// How a statement ended, for its span and its duration alike.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// The database's own code of a failure.
    code: Option<String>,
    pub(super) error_type: Option<StringValue>,
    /// Whether that is a failure of the statement, and not the caller's wish.
    pub(super) is_failure: bool,
}

// === impl StatementMeter ===

impl StatementMeter {
    pub(super) fn new(meter: &Meter, common: &[KeyValue]) -> Self {
        let duration = meter.f64_histogram(semconv::DB_CLIENT_OPERATION_DURATION).with_unit("s");
        let duration = duration.with_description("Duration of database client operations.");
        Self { duration: duration.with_boundaries(BUCKETS.to_vec()).build(), common: common.to_vec() }
    }

    /// The same for statements of which this is said.
    pub(super) fn of(&self, common: &[KeyValue]) -> Self {
        Self { duration: self.duration.clone(), common: common.to_vec() }
    }

    pub(super) fn record(&self, class: &Class, elapsed: Duration, ending: &Ending) {
        let elapsed = elapsed.as_secs_f64();
        let bindable = class.is_kept && ending.error_type.is_none();
        if let Some(duration) = class.succeeded.get().filter(|_| bindable) {
            return duration.record(elapsed);
        }
        let mut attributes = self.common.clone();
        if !class.summary.is_empty() {
            attributes.push(KeyValue::new(semconv::DB_QUERY_SUMMARY, class.summary.clone()));
        }
        attributes.extend(ending.attributes());
        // Recorded before it is bound: a bound series is exported even if nothing was recorded yet.
        self.duration.record(elapsed, &attributes);
        if bindable {
            let _ = class.succeeded.set(self.duration.bind(&attributes));
        }
    }
}

// === impl Known ===

impl Known {
    pub(super) fn new(system: DatabaseSystem) -> Self {
        Self { system, texts: RwLock::default() }
    }

    /// The class of `text`. A text to which no values are bound may hold some, so it is not kept.
    pub(super) fn class(&self, text: &str, is_parameterised: bool) -> Arc<Class> {
        let known = |texts: &HashMap<Box<str>, Arc<Class>>| texts.get(text).cloned();
        if let Some(class) = known(&read(&self.texts)) {
            return class;
        }
        let new = |is_kept| {
            let (system, summary) = (self.system, summary(text, self.system));
            Arc::new(Class { system, summary, text: OnceLock::new(), is_kept, succeeded: OnceLock::new() })
        };
        if !is_parameterised {
            return new(false);
        }
        let mut texts = write(&self.texts);
        if texts.len() >= MOST_TEXTS && !texts.contains_key(text) {
            return new(false);
        }
        Arc::clone(texts.entry(text.into()).or_insert_with(|| new(true)))
    }
}

// === impl Class ===

impl Class {
    /// What the statements do, in few words; empty for a text without any.
    pub(super) fn summary(&self) -> &str {
        &self.summary
    }

    /// What may be shown of the statements' `text`. Values may stand in it beside those that are bound.
    pub(super) fn text(&self, text: &str) -> Arc<str> {
        Arc::clone(self.text.get_or_init(|| bounded(&without_values(text, self.system)).into()))
    }

    pub(super) fn is_query(&self) -> bool {
        self.summary.get(..6).is_some_and(|verb| verb.eq_ignore_ascii_case("SELECT"))
    }
}

// === impl Ending ===

impl Ending {
    pub(super) fn of(error: Option<&sqlx::Error>) -> Self {
        let Some(error) = error else { return Self::default() };
        let code = error.as_database_error().and_then(|error| error.code()).map(String::from);
        let error_type = code.clone().map_or_else(|| variant(error).into(), StringValue::from);
        Self { code, error_type: Some(error_type), is_failure: true }
    }

    /// Of a statement that its caller gave up before it gave anything.
    pub(super) fn given_up(is_late: bool) -> Self {
        let error_type = if is_late { "timeout" } else { "cancelled" };
        Self { code: None, error_type: Some(error_type.into()), is_failure: is_late }
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = KeyValue> {
        let code = self.code.clone().map(|code| KeyValue::new(semconv::DB_RESPONSE_STATUS_CODE, code));
        let error_type = self.error_type.clone().map(|kind| KeyValue::new(semconv::ERROR_TYPE, kind));
        code.into_iter().chain(error_type)
    }
}

/// The name of the error's variant: few values, and none of the caller's.
fn variant(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Configuration(_) => "Configuration",
        sqlx::Error::InvalidArgument(_) => "InvalidArgument",
        sqlx::Error::Database(_) => "Database",
        sqlx::Error::Io(_) => "Io",
        sqlx::Error::Tls(_) => "Tls",
        sqlx::Error::Protocol(_) => "Protocol",
        sqlx::Error::RowNotFound => "RowNotFound",
        sqlx::Error::TypeNotFound { .. } => "TypeNotFound",
        sqlx::Error::ColumnIndexOutOfBounds { .. } => "ColumnIndexOutOfBounds",
        sqlx::Error::ColumnNotFound(_) => "ColumnNotFound",
        sqlx::Error::ColumnDecode { .. } => "ColumnDecode",
        sqlx::Error::Encode(_) => "Encode",
        sqlx::Error::Decode(_) => "Decode",
        sqlx::Error::PoolTimedOut => "PoolTimedOut",
        sqlx::Error::PoolClosed => "PoolClosed",
        sqlx::Error::WorkerCrashed => "WorkerCrashed",
        sqlx::Error::BeginFailed => "BeginFailed",
        _ => semconv::OTHER,
    }
}
