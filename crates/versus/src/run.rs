use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Everything that decides what one process measures.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// Who is measured.
    pub candidate: Candidate,
    /// What is called.
    pub scenario: Scenario,
    /// How much of it is recorded.
    pub sampling: Sampling,
    /// What each span of a call carries.
    pub attributes: Attributes,
    /// How the hops are connected.
    pub transport: Transport,
    /// Calls made before the measured ones.
    pub warm_up: u64,
    /// Calls measured.
    pub requests: u64,
    /// Calls under way at once.
    pub concurrency: u64,
    /// Spans that may wait for the exporter; what ends beyond them is lost.
    pub queue: usize,
    /// The directory for spans that the collector does not take; only we have one.
    pub spool: Option<String>,
    /// The sink's address.
    pub otlp: String,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Candidate {
    /// tonic without telemetry.
    Bare,
    /// The crate `telemetry`, traces only, as the peers.
    Ours,
    /// The same as it comes: it measures calls, exports that too, and gives those without a deadline one, which goes along
    /// from hop to hop and is kept by a timer on each side.
    OursWhole,
    /// tracing-opentelemetry and interceptors, as tutorials write them.
    Tutorial,
    /// tonic-tracing-opentelemetry.
    TonicTracingOpentelemetry,
    /// tower-otel.
    TowerOtel,
}

/// What spans go through from their end to a collector.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Pipeline {
    /// Nothing: they are made and forgotten.
    None,
    /// The crate `telemetry`.
    Ours,
    /// The SDK's batch processor and opentelemetry-otlp, which all peers use.
    Stock,
}

/// What is called.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// One unary call.
    Unary,
    /// A unary call whose handler makes another, and that one's a third.
    Chain,
    /// One unary call whose handler has three `#[instrument]` steps, each with three fields and an event.
    Steps,
}

/// Which share of the traces is recorded. The root decides, all others follow it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Every trace.
    On,
    /// One of ten.
    Tenth,
    /// None.
    Off,
}

/// What each span of a call carries.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Attributes {
    /// Filled up to ten; tracing-opentelemetry's eight of its own (code, thread, target, times) are off.
    Ten,
    /// What each candidate records by default.
    Own,
}

/// How the hops are connected, and on how many threads they run.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Loopback, two worker threads.
    Tcp,
    /// Pipes in memory, one thread.
    Memory,
}

// === impl Candidate ===

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare => "bare tonic",
            Self::Ours => "ours",
            Self::OursWhole => "ours, with metrics and deadlines",
            Self::Tutorial => "hand-written tutorial",
            Self::TonicTracingOpentelemetry => "tonic-tracing-opentelemetry 0.42",
            Self::TowerOtel => "tower-otel 0.12",
        })
    }
}

// === impl Pipeline ===

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "spans alone",
            Self::Ours => "ours",
            Self::Stock => "BatchSpanProcessor and opentelemetry-otlp 0.33",
        })
    }
}

// === impl Scenario ===

impl Scenario {
    /// How many servers a call passes.
    pub(crate) fn hops(self) -> usize {
        match self {
            Self::Unary | Self::Steps => 1,
            Self::Chain => 3,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unary => "unary call",
            Self::Chain => "chain of three calls",
            Self::Steps => "unary call, three `#[instrument]` steps in its handler",
        })
    }
}

// === impl Sampling ===

impl Sampling {
    /// The share of traces that is recorded, if it is neither all nor none.
    pub(crate) const TENTH: f64 = 0.1;
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::On => "everything sampled",
            Self::Tenth => "10 % sampled",
            Self::Off => "nothing sampled",
        })
    }
}
