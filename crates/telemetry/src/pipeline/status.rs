use serde::Serialize;
use time::OffsetDateTime;

use super::delivery::Way;
use super::health::{Health, State};
use super::lane::Lane;
use super::report::Account;
use crate::logs::TIMESTAMP;

/// How exporting goes, by signal; by [`Telemetry::exports`](crate::Telemetry::exports).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportStatus {
    /// Sampled spans.
    pub spans: Exported,
    /// Log records.
    pub logs: Exported,
    /// Data points of metrics.
    pub metric_points: Exported,
}

/// How one signal's exporting goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// `otlp`, `console`, or `none`.
    pub exporter: &'static str,
    /// How it is sent: `grpc`, `http/protobuf` or `http/json`; `None` unless it is sent.
    pub protocol: Option<&'static str>,
    /// The collector's host and port.
    pub collector: Option<String>,
    /// Whether it works.
    pub state: ExportState,
    /// Since when that is so, in UTC by RFC 3339.
    pub since: Option<String>,
    /// Why it fails, or has failed last.
    pub error: Option<String>,
    /// What became of the items.
    #[serde(flatten)]
    pub account: Account,
    /// How many may wait in memory.
    pub queue_capacity: Option<usize>,
    /// What waits on disk; `None` without `TELEMETRY_SPOOL_DIR`.
    pub spool: Option<SpoolStatus>,
}

/// Whether exporting works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportState {
    /// Nothing is exported: the exporter is `none`.
    Off,
    /// Nothing was sent so far.
    Untried,
    /// The collector takes what it is sent.
    Working,
    /// It does not.
    Failing,
}

/// How full a spool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SpoolStatus {
    /// What this signal's requests take on disk, in bytes.
    pub bytes: u64,
    /// What those of all signals may take, in bytes (`TELEMETRY_SPOOL_MAX_BYTES`).
    pub max_bytes: u64,
    /// Records that could not be read and were skipped, whichever process wrote them.
    pub corrupt_records: u64,
    /// Files of another format that were set aside, not sent.
    pub quarantined: u64,
}

// === impl Exported ===

impl Exported {
    fn off() -> Self {
        Self {
            exporter: "none",
            protocol: None,
            collector: None,
            state: ExportState::Off,
            since: None,
            error: None,
            account: Account::default(),
            queue_capacity: None,
            spool: None,
        }
    }
}

impl Lane {
    pub(super) fn status(&self) -> Exported {
        let Some(delivery) = &self.delivery else { return Exported::off() };
        let (exporter, sender) = match delivery.way() {
            Way::Collector(sender) => ("otlp", Some(sender)),
            Way::Stdout => ("console", None),
        };
        let health = delivery.fate().health();
        Exported {
            exporter,
            protocol: sender.map(|sender| sender.protocol()),
            collector: sender.map(|sender| format!("{}:{}", sender.address(), sender.port())),
            state: health.state().into(),
            since: since(&health),
            error: health.error().map(str::to_owned),
            account: self.account(),
            queue_capacity: self.queue.as_ref().map(|queue| queue.buffers().most()),
            spool: delivery.spool().map(|spool| {
                let status = spool.status();
                SpoolStatus {
                    bytes: status.bytes,
                    max_bytes: spool.max_bytes(),
                    corrupt_records: status.corrupt_records,
                    quarantined: status.quarantined,
                }
            }),
        }
    }
}

fn since(health: &Health) -> Option<String> {
    OffsetDateTime::from(health.since()).format(TIMESTAMP).ok()
}

impl From<State> for ExportState {
    fn from(state: State) -> Self {
        match state {
            State::Untried => Self::Untried,
            State::Working => Self::Working,
            State::Failing => Self::Failing,
        }
    }
}
