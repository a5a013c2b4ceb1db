//! One statement as a span and a duration, from the first poll to the moment it is over for the caller.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context as TraceContext, KeyValue};
use opentelemetry_sdk::trace::Span;
use sqlx::{Either, SqlStr};

use super::Database;
use super::metrics::{Class, Ending};
use super::query::Query;
use crate::clock::Started;
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
    /// What it is measured as; `None` where there are no metrics, and after the end.
    measured: Option<(Database, Arc<Class>)>,
    started: Started,
    deadline: Option<Deadline>,
    /// Whether the number of rows is worth telling, even if it is 0.
    is_query: bool,
    rows: i64,
    has_answered: bool,
    open: bool,
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

    /// Starts measuring, and the span as a child of the current one, if that is recorded here or by the caller of this
    /// process.
    pub(super) fn start(&self) -> Running {
        let started = Started::now();
        let is_recorded = TraceContext::map_current(|cx| {
            let parent = cx.span();
            parent.is_recording() || (parent.span_context().is_valid() && parent.span_context().is_sampled())
        });
        let identity = &self.database.0;
        let is_measured = identity.meter.is_some();
        let class =
            (is_recorded || is_measured).then(|| identity.known.class(self.text.as_str(), self.is_parameterised));
        Running {
            is_query: class.as_ref().is_some_and(|class| class.is_query()),
            span: class.as_ref().filter(|_| is_recorded).map(|class| self.span(class, started)),
            measured: class.filter(|_| is_measured).map(|class| (self.database.clone(), class)),
            started,
            deadline: Deadline::current(),
            rows: 0,
            has_answered: false,
            open: true,
        }
    }

    fn span(&self, class: &Class, started: Started) -> Span {
        let (identity, summary) = (&self.database.0, class.summary());
        let mut attributes = identity.attributes.clone();
        attributes.push(KeyValue::new(semconv::DB_QUERY_TEXT, class.text(self.text.as_str())));
        let name = if summary.is_empty() {
            identity.system.name().to_owned()
        } else {
            attributes.push(KeyValue::new(semconv::DB_QUERY_SUMMARY, summary.to_owned()));
            summary.to_owned()
        };
        let tracer = &identity.tracer;
        let span = tracer.span_builder(name).with_kind(SpanKind::Client).with_attributes(attributes);
        span.with_start_time(started.time()).start(tracer)
    }
}

// === impl Running ===

impl Running {
    /// Counts rows that reached the caller.
    pub(super) fn rows(&mut self, count: i64) {
        self.rows += count;
        self.has_answered = true;
    }

    /// Ends the statement: it is over, with or without success.
    pub(super) fn end(mut self, error: Option<&sqlx::Error>) {
        self.finish(&Ending::of(error));
    }

    /// Ends the statement, for its metrics and its span alike; later ends are ignored.
    fn finish(&mut self, ending: &Ending) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let elapsed = self.started.elapsed();
        // Before the span: whoever waits for that finds the statement measured.
        if let Some((database, class)) = self.measured.take()
            && let Some(meter) = &database.0.meter
        {
            meter.record(&class, elapsed, ending);
        }
        let Some(mut span) = self.span.take() else { return };
        span.set_attributes(ending.attributes());
        if ending.is_failure {
            // The code says it all; the database's message may quote the text or a value.
            span.set_status(Status::error(""));
        }
        if self.rows > 0 || (self.is_query && ending.error_type.is_none()) {
            span.set_attribute(KeyValue::new(semconv::DB_RESPONSE_RETURNED_ROWS, self.rows));
        }
        span.end_with_timestamp(self.started.after(elapsed));
    }

    /// Whoever reads rows may have enough before the last one; whoever leaves before the first gave up.
    fn give_up(&mut self) {
        let is_late = || self.deadline.is_some_and(|deadline| deadline.has_passed());
        let ending = if self.has_answered { Ending::default() } else { Ending::given_up(is_late()) };
        self.finish(&ending);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.give_up();
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
            Some(Err(error)) => running.finish(&Ending::of(Some(error))),
            None => running.finish(&Ending::default()),
        }
        Poll::Ready(step)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.steps.size_hint()
    }
}
