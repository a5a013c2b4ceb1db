//! Loki's HTTP API: log lines by a query.

use serde_json::Value;

use crate::backend::Backend;

/// The most lines that are asked for at a time.
const LIMIT: &str = "1000";

/// How far back is looked.
const SINCE: &str = "1h";

/// Where it is asked.
const PATH: &str = "/loki/api/v1/query_range";

/// A Loki.
#[derive(Clone, Debug)]
pub(crate) struct Loki(Backend);

// === impl Loki ===

impl Loki {
    pub(crate) fn new(backend: Backend) -> Self {
        Self(backend)
    }

    /// What a query in LogQL finds in the last hour: a list of streams, each with its labels and lines.
    ///
    /// # Errors
    /// When nothing answers, or the query is refused.
    pub(crate) async fn query(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let mut answer = self.0.json(PATH, &parameters(query)).await?;
        Ok(match answer["data"]["result"].take() {
            Value::Array(streams) => streams,
            _ => Vec::new(),
        })
    }

    /// The log records of a trace, by whatever service.
    ///
    /// # Errors
    /// As [`Loki::query`].
    pub(crate) async fn of_trace(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        self.query(&of_trace(id)).await
    }

    /// The same as it was written: lines, labels and what else Loki keeps of them.
    ///
    /// # Errors
    /// As [`Loki::query`].
    pub(crate) async fn raw(&self, id: &str) -> anyhow::Result<String> {
        Ok(self.0.text(PATH, &parameters(&of_trace(id))).await?.unwrap_or_default())
    }
}

fn parameters(query: &str) -> [(&'static str, &str); 3] {
    [("query", query), ("since", SINCE), ("limit", LIMIT)]
}

fn of_trace(id: &str) -> String {
    format!(r#"{{service_name=~".+"}} | trace_id="{id}""#)
}
