use serde::{Deserialize, Serialize};

use crate::Error;
use crate::collector::Manners;
use crate::flood::Flood;
use crate::latency::Outage;
use crate::run::Run;

/// What a process of a bench does: its one argument, as JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Task {
    /// Takes spans and looks at them.
    Sink,
    /// Takes spans, or does not, and counts them.
    Collector(Manners),
    /// Makes calls, and says what they cost.
    Calls(Run),
    /// Makes calls while the collector is away, and says how long they took.
    Outage(Outage),
    /// Makes spans, and says what they cost.
    Flood(Flood),
}

// === impl Task ===

impl Task {
    pub(crate) fn argument(&self) -> Result<String, Error> {
        Ok(serde_json::to_string(self)?)
    }
}
