//! What a service says of its telemetry, on `/telemetry` of its admin port.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::backend::Backend;

/// The answer, as far as it is made use of.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    now: f64,
    pub(super) sampling: Sampling,
    export: Export,
    /// How many seconds its clock is ahead of this one's; what the time between question and answer may explain is taken
    /// off.
    #[serde(skip)]
    pub(super) ahead: f64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sampling {
    pub(super) settings: Settings,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Settings {
    pub(super) sampler: String,
    /// The variables that are set.
    pub(super) variables: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Export {
    spans: Spans,
}

/// What becomes of its spans.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Spans {
    pub(super) exporter: String,
    pub(super) protocol: Option<String>,
    /// Host and port.
    pub(super) collector: Option<String>,
    pub(super) state: String,
    pub(super) since: Option<String>,
    pub(super) error: Option<String>,
    pub(super) exported: u64,
    pub(super) spooled: u64,
    pub(super) queued: u64,
    pub(super) rejected: u64,
    pub(super) dropped: BTreeMap<String, u64>,
    /// There is one, or not.
    pub(super) spool: Option<IgnoredAny>,
}

// === impl Told ===

impl Told {
    /// Asks an admin port.
    ///
    /// # Errors
    /// When nothing answers, or no admin port.
    pub(super) async fn ask(admin: &Backend) -> anyhow::Result<Self> {
        let asked = now();
        let answer = admin.get("/telemetry", &[]).await?;
        let (took, answered) = (now() - asked, now());
        let mut told: Self = answer.accepted()?.read()?;
        told.ahead = beyond(told.now - (asked + answered) / 2.0, took / 2.0);
        Ok(told)
    }

    pub(super) fn spans(&self) -> &Spans {
        &self.export.spans
    }
}

// === impl Spans ===

impl Spans {
    pub(super) fn is_failing(&self) -> bool {
        self.state == "failing"
    }

    /// How many nobody has, by reason.
    pub(super) fn lost(&self) -> impl Iterator<Item = (&str, u64)> {
        let dropped = self.dropped.iter().map(|(reason, spans)| (reason.as_str(), *spans));
        [("rejected", self.rejected)].into_iter().chain(dropped).filter(|(_, spans)| *spans > 0)
    }

    /// Where they go.
    pub(super) fn collector(&self) -> String {
        match (&self.collector, &self.protocol) {
            (Some(collector), Some(protocol)) => format!("{collector} ({protocol})"),
            _ => self.exporter.clone(),
        }
    }
}

/// How much of a difference is left that is uncertain by so much.
fn beyond(difference: f64, uncertainty: f64) -> f64 {
    (difference.abs() - uncertainty).max(0.0).copysign(difference)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_answers_way_cannot_explain_is_a_difference() {
        assert_eq!((beyond(42.0, 0.5), beyond(-42.0, 2.0)), (41.5, -40.0));
        assert_eq!(beyond(0.4, 0.5), 0.0);
    }
}
