//! The spans and durations of statements on real databases.

mod sqlite;
mod postgresql;

use std::collections::BTreeMap;

use opentelemetry::Context;
use opentelemetry::context::FutureExt;
use opentelemetry::trace::{TraceContextExt, Tracer};
use sqlx::Pool;
use tempfile::TempDir;

use super::*;
use crate::Service;
use crate::testing::{SpanRecord, Spans, Trace};

const DURATION: &str = "db.client.operation.duration";

/// A real database with the table `orders`, and a root span to work under.
struct Bench<DB: sqlx::Database> {
    spans: Spans,
    db: Database,
    pool: Pool<DB>,
    root: Context,
    /// Where the database is, if it is the test's own.
    _folder: Option<TempDir>,
}

impl<DB: sqlx::Database> Bench<DB> {
    fn over(pool: Pool<DB>, system: DatabaseSystem, folder: Option<TempDir>) -> Self {
        let spans = Spans::new();
        let telemetry = spans.service(Service::new("order", "0.0.0"));
        let db = telemetry.database(system, "order");
        let root = Context::new().with_span(telemetry.tracer().start("root"));
        Self { spans, db, pool, root, _folder: folder }
    }

    /// Runs `work` as part of the root span.
    async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        work.with_context(self.root.clone()).await
    }

    /// The root's trace; the statements must have been measured as their spans say.
    async fn trace(&self) -> Trace {
        self.root.span().end();
        let trace = self.spans.trace(&self.root.span().span_context().trace_id().to_string()).await;
        let metrics = self.spans.metrics().await;
        let statements = || trace.spans().iter().filter(|span| span.kind == "CLIENT");
        assert_eq!(metrics.render(DURATION), measured_as(statements()));
        let nanoseconds: u64 = statements().map(|span| span.end - span.start).sum();
        assert_eq!((metrics.sum(DURATION, &[]) * 1e9).round() as u64, nanoseconds);
        trace
    }

    /// The only statement's span.
    async fn span(&self) -> SpanRecord {
        let trace = self.trace().await;
        let [root, statement] = trace.spans() else { panic!("{}", trace.render(&[])) };
        assert_eq!(statement.parent_span_id.as_ref(), Some(&root.span_id));
        statement.clone()
    }
}

/// The series that these spans stand for, each with how many they are.
fn measured_as<'a>(spans: impl Iterator<Item = &'a SpanRecord>) -> String {
    let keys = [
        "db.namespace",
        "db.query.summary",
        "db.response.status_code",
        "db.system.name",
        "error.type",
        "server.address",
        "server.port",
    ];
    let mut counts = BTreeMap::<String, u32>::new();
    for span in spans {
        let pairs = keys.iter().filter_map(|key| Some(format!("{key}={}", span.attribute(key)?)));
        *counts.entry(pairs.collect::<Vec<_>>().join(", ")).or_default() += 1;
    }
    let line = |(attributes, count)| format!("order {DURATION} [{attributes}] count {count}\n");
    let mut lines: Vec<_> = counts.iter().map(line).collect();
    lines.sort();
    lines.concat()
}
