//! The fields of events and spans as JSON.

use std::error::Error;
use std::fmt::{self, Debug};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::{FormatFields, Writer};

use crate::error_chain::error_chain;

/// Keeps the fields of a span as the text of a JSON object.
#[derive(Debug)]
pub(super) struct JsonFields;

/// Fields by name; the last value of a name stands.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

// === impl JsonFields ===

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut object = Fields::default();
        fields.record(&mut object);
        write!(writer, "{}", object.into_value())
    }

    /// Fields recorded later replace those of the same name.
    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut object = match formatted(&current.fields) {
            Value::Object(object) => Fields(object),
            _ => Fields::default(),
        };
        fields.record(&mut object);
        current.fields = object.into_value().to_string();
        Ok(())
    }
}

/// The fields that [`JsonFields`] wrote.
pub(super) fn formatted(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

// === impl Fields ===

impl Fields {
    /// Takes the field `message` out.
    pub(super) fn take_message(&mut self) -> Option<Value> {
        self.0.remove("message")
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        // What the bridge of the `log` crate adds repeats the record's own target and place.
        if !field.name().starts_with("log.") {
            self.0.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    /// JSON has no infinity and no NaN; those become text.
    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = || Value::String(value.to_string());
        self.insert(field, serde_json::Number::from_f64(value).map_or_else(text, Value::Number));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert(field, error_chain(value));
    }
}
