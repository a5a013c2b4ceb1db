//! One statement as a span, from the first poll to the moment it is over for the caller.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context as TraceContext, KeyValue};
use opentelemetry_sdk::trace::Span;
use sqlx::{Either, SqlStr};

use super::Database;
use super::query::Query;
use super::sql::without_values;
use super::summary::summary;
use crate::deadline::Deadline;
use crate::semconv;

/// A statement that has not been polled yet.
#[derive(Debug)]
pub(super) struct Statement {
    database: Database,
    text: SqlStr,
    is_parameterised: bool,
}

/// A statement that runs. Dropping it before [`end`](Self::end) means that the caller gave it up.
#[derive(Debug)]
pub(super) struct Running {
    /// `None` where nothing is recorded, and after the end.
    span: Option<Span>,
    deadline: Option<Deadline>,
    /// Whether the number of rows is worth telling, even if it is 0.
    is_query: bool,
    rows: i64,
    has_answered: bool,
}

/// The outcome of a statement, row by row.
pub(super) struct Observed<'e, Outcome, Row> {
    statement: Statement,
    running: Option<Running>,
    steps: Steps<'e, Outcome, Row>,
}

/// What sqlx gives for a statement: the outcome of each command in it, and the rows.
type Steps<'e, Outcome, Row> = BoxStream<'e, Result<Either<Outcome, Row>, sqlx::Error>>;

// === impl Statement ===

impl Statement {
    pub(super) fn of<DB: sqlx::Database>(database: &Database, query: &Query<DB>) -> Self {
        let is_parameterised = query.is_parameterised();
        Self { database: database.clone(), text: query.text().clone(), is_parameterised }
    }

    /// A statement of our own, whose text is known to hold no value.
    pub(super) fn fixed(database: &Database, text: &'static str) -> Self {
        Self { database: database.clone(), text: SqlStr::from_static(text), is_parameterised: true }
    }

    /// Starts the span as a child of the current one, if that is recorded here or by the caller of this process.
    pub(super) fn start(&self) -> Running {
        let is_recorded = TraceContext::map_current(|cx| {
            let parent = cx.span();
            parent.is_recording() || (parent.span_context().is_valid() && parent.span_context().is_sampled())
        });
        let summary = if is_recorded { summary(self.text.as_str()) } else { String::new() };
        Running {
            is_query: summary.get(..6).is_some_and(|verb| verb.eq_ignore_ascii_case("SELECT")),
            span: is_recorded.then(|| self.span(summary)),
            deadline: Deadline::current(),
            rows: 0,
            has_answered: false,
        }
    }

    fn span(&self, summary: String) -> Span {
        let identity = &self.database.0;
        let text = self.text.as_str();
        let text = if self.is_parameterised { text.to_owned() } else { without_values(text) };
        let mut attributes = vec![
            KeyValue::new(semconv::DB_SYSTEM_NAME, identity.system.name()),
            KeyValue::new(semconv::DB_NAMESPACE, identity.namespace.clone()),
            KeyValue::new(semconv::DB_QUERY_TEXT, text),
        ];
        let name = if summary.is_empty() {
            identity.system.name().to_owned()
        } else {
            attributes.push(KeyValue::new(semconv::DB_QUERY_SUMMARY, summary.clone()));
            summary
        };
        let tracer = &identity.tracer;
        tracer.span_builder(name).with_kind(SpanKind::Client).with_attributes(attributes).start(tracer)
    }
}

// === impl Running ===

impl Running {
    /// Counts rows that reached the caller.
    pub(super) fn rows(&mut self, count: i64) {
        self.rows += count;
        self.has_answered = true;
    }

    /// Ends the span: the statement is over, with or without success.
    pub(super) fn end(mut self, error: Option<&sqlx::Error>) {
        self.finish(error);
    }

    fn finish(&mut self, error: Option<&sqlx::Error>) {
        let Some(mut span) = self.span.take() else { return };
        if let Some(error) = error {
            let code = error.as_database_error().and_then(|error| error.code()).map(String::from);
            if let Some(code) = &code {
                span.set_attribute(KeyValue::new(semconv::DB_RESPONSE_STATUS_CODE, code.clone()));
            }
            span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, code.unwrap_or_else(|| variant(error).to_owned())));
            // The code says it all; SQLite's message may quote the text.
            span.set_status(Status::error(""));
        }
        if self.rows > 0 || (self.is_query && error.is_none()) {
            span.set_attribute(KeyValue::new(semconv::DB_RESPONSE_RETURNED_ROWS, self.rows));
        }
        span.end();
    }

    /// Whoever reads rows may have enough before the last one; whoever leaves before the first gave up.
    fn give_up(&mut self) {
        if let Some(span) = self.span.as_mut().filter(|_| !self.has_answered) {
            let is_late = self.deadline.is_some_and(|deadline| deadline.has_passed());
            span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, if is_late { "timeout" } else { "cancelled" }));
            if is_late {
                span.set_status(Status::error(""));
            }
            self.is_query = false;
        }
        self.finish(None);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.give_up();
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

// === impl Observed ===

impl<'e, Outcome, Row> Observed<'e, Outcome, Row> {
    pub(super) fn new(statement: Statement, steps: Steps<'e, Outcome, Row>) -> Self {
        Self { statement, running: None, steps }
    }
}

impl<Outcome, Row> Stream for Observed<'_, Outcome, Row> {
    type Item = Result<Either<Outcome, Row>, sqlx::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let running = this.running.get_or_insert_with(|| this.statement.start());
        let step = ready!(this.steps.as_mut().poll_next(cx));
        match &step {
            Some(Ok(Either::Left(_))) => running.has_answered = true,
            Some(Ok(Either::Right(_))) => running.rows(1),
            Some(Err(error)) => running.finish(Some(error)),
            None => running.finish(None),
        }
        Poll::Ready(step)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.steps.size_hint()
    }
}
