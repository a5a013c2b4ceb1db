//! Lines for people.

use std::error::Error;
use std::fmt::{self, Debug};

use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::error_chain::error_chain;

use super::escape::Escaped;

/// The time of day in UTC; whoever watches knows the day.
const TIME: StaticFormatDescription = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BLUE: &str = "34";
const MAGENTA: &str = "35";
const DIM: &str = "2";

/// One event a line, coloured where the writer takes colours.
#[derive(Debug)]
pub(super) struct Pretty;

/// Leaves the fields of spans out: the trace shows them.
#[derive(Debug)]
pub(super) struct NoFields;

/// The message and the fields of an event, as text.
#[derive(Default)]
struct Text {
    message: String,
    fields: Vec<(&'static str, String)>,
}

// === impl Pretty ===

impl<S, N> FormatEvent<S, N> for Pretty
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let mut text = Text::default();
        event.record(&mut text);
        if let Some(current) = super::current() {
            text.fields.push(("trace_id", current.trace_id().to_string()));
        }

        let time = OffsetDateTime::now_utc().format(TIME).map_err(|_| fmt::Error)?;
        painted(&mut writer, DIM, &time)?;
        writer.write_char(' ')?;
        painted(&mut writer, colour(*metadata.level()), &format!("{:>5}", metadata.level()))?;
        writer.write_char(' ')?;
        painted(&mut writer, DIM, &format!("{}:", Escaped(metadata.target())))?;
        if !text.message.is_empty() {
            write!(writer, " {}", Escaped(&text.message))?;
        }
        for (name, value) in &text.fields {
            writer.write_char(' ')?;
            painted(&mut writer, DIM, &format!("{name}="))?;
            write!(writer, "{}", Escaped(value))?;
        }
        writeln!(writer)
    }
}

/// Writes `text`, which must be escaped already, in a colour.
fn painted(writer: &mut Writer<'_>, colour: &str, text: &str) -> fmt::Result {
    if writer.has_ansi_escapes() { write!(writer, "\u{1b}[{colour}m{text}\u{1b}[0m") } else { writer.write_str(text) }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => RED,
        Level::WARN => YELLOW,
        Level::INFO => GREEN,
        Level::DEBUG => BLUE,
        Level::TRACE => MAGENTA,
    }
}

// === impl NoFields ===

impl<'writer> FormatFields<'writer> for NoFields {
    fn format_fields<R: RecordFields>(&self, _: Writer<'writer>, _: R) -> fmt::Result {
        Ok(())
    }
}

// === impl Text ===

impl Text {
    fn add(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            // What the bridge of the `log` crate adds repeats the record's own target and place.
            name if name.starts_with("log.") => {}
            name => self.fields.push((name, value)),
        }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }

    /// A message stands as it is; a field is quoted if it would run into the next.
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_one_word = !value.is_empty() && !value.contains([' ', '"', '=']);
        let text = if field.name() == "message" || is_one_word { value.to_owned() } else { format!("{value:?}") };
        self.add(field, text);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, format!("{:?}", error_chain(value)));
    }
}
