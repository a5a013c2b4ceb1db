//! Tempo's HTTP API: one trace by its id.

use serde_json::Value;

use crate::backend::Backend;
use crate::otlp;
use crate::trace::Span;

/// A Tempo.
#[derive(Clone, Debug)]
pub(crate) struct Tempo(Backend);

// === impl Tempo ===

impl Tempo {
    pub(crate) fn new(backend: Backend) -> Self {
        Self(backend)
    }

    /// The trace as Tempo holds it; `None` when it does not know it, which it may also say with an empty one.
    pub(crate) async fn trace(&self, id: &str) -> anyhow::Result<Option<Vec<Span>>> {
        let Some(answer) = self.0.find(&path(id), &[]).await? else { return Ok(None) };
        Ok(otlp::traces(&answer["trace"]).remove(id))
    }

    /// The same as it was written; `None` too where that is another trace.
    pub(crate) async fn raw(&self, id: &str) -> anyhow::Result<Option<String>> {
        let answer = self.0.text(&path(id), &[]).await?;
        // Tempo spells ids in base64, so its text cannot be searched for one.
        let holds = |text: &String| {
            let document: Value = serde_json::from_str(text).unwrap_or_default();
            otlp::traces(&document["trace"]).contains_key(id)
        };
        Ok(answer.filter(holds))
    }
}

/// The second version answers in OTLP's own shape.
fn path(id: &str) -> String {
    format!("/api/v2/traces/{id}")
}
