use std::fmt::{self, Display, Formatter};

use serde::Serialize;

/// What became of all that a service has told, by signal. At rest, nothing is missing: each [`Account`] adds up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Sampled spans.
    pub spans: Account,
    /// Log records.
    pub logs: Account,
    /// Data points of metrics: one of each series with each export.
    pub metric_points: Account,
}

/// What became of the items of one signal:
/// `ended = exported + spooled + queued + rejected + dropped.all()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Spans that have ended, records that were logged, points that were collected.
    pub ended: u64,
    /// Taken by a collector, or printed.
    pub exported: u64,
    /// Waiting on disk (`TELEMETRY_SPOOL_DIR`).
    pub spooled: u64,
    /// Waiting in memory, or on their way.
    pub queued: u64,
    /// Refused by the collector, for what they are: it is of no use to send them again.
    pub rejected: u64,
    /// Lost, by reason.
    pub dropped: Dropped,
    /// What became of items that an earlier process had left on disk. They are in none of the other numbers.
    pub replayed: Replayed,
}

/// Items that nobody has, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Too many were waiting (`OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BLRP_MAX_QUEUE_SIZE`, and a bound in bytes).
    pub queue_full: u64,
    /// The collector could not be reached, did not answer in time, or would not take them, and there is no spool.
    pub export_failed: u64,
    /// The spool could not take them: it is full (`TELEMETRY_SPOOL_MAX_BYTES`), or its disk fails.
    pub spool_failed: u64,
    /// They were in the spool and can no longer be read.
    pub spool_lost: u64,
    /// They were still on their way when a shutdown's time was up.
    pub shutdown: u64,
    /// They came after a shutdown.
    pub already_shutdown: u64,
}

/// What became of items of an earlier process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Taken by a collector.
    pub exported: u64,
    /// Refused by it.
    pub rejected: u64,
    /// Still waiting on disk.
    pub waiting: u64,
}

/// What nobody has, of all signals: `2 spans (queue_full), 1 log records (export_failed)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost(Report);

// === impl Report ===

impl Report {
    /// What was lost so far, if anything was.
    pub fn lost(&self) -> Option<Lost> {
        let accounts = [self.spans, self.logs, self.metric_points];
        accounts.iter().any(|account| account.lost() > 0).then_some(Lost(*self))
    }
}

// === impl Account ===

impl Account {
    /// What nobody has and nobody will have.
    pub fn lost(&self) -> u64 {
        self.rejected + self.dropped.all()
    }

    /// Whether nothing is missing: so it is whenever nothing is being exported.
    pub fn adds_up(&self) -> bool {
        self.ended == self.exported + self.spooled + self.queued + self.lost()
    }
}

// === impl Dropped ===

impl Dropped {
    /// For whatever reason.
    pub fn all(&self) -> u64 {
        self.by_reason().iter().map(|(_, items)| items).sum()
    }

    /// The reasons as they stand in metrics.
    pub(super) fn by_reason(&self) -> [(&'static str, u64); 6] {
        [
            ("queue_full", self.queue_full),
            ("export_failed", self.export_failed),
            ("spool_failed", self.spool_failed),
            ("spool_lost", self.spool_lost),
            ("shutdown", self.shutdown),
            ("already_shutdown", self.already_shutdown),
        ]
    }
}

// === impl Lost ===

impl Display for Lost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report { spans, logs, metric_points } = &self.0;
        let signals = [(spans, "spans"), (logs, "log records"), (metric_points, "metric points")];
        for (position, (account, items)) in signals.iter().filter(|(account, _)| account.lost() > 0).enumerate() {
            let rejected = [("rejected", account.rejected)];
            let reasons = rejected.into_iter().chain(account.dropped.by_reason());
            let reasons: Vec<_> = reasons.filter(|(_, lost)| *lost > 0).map(|(reason, _)| reason).collect();
            let separator = if position > 0 { ", " } else { "" };
            write!(f, "{separator}{} {items} ({})", account.lost(), reasons.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_told_with_its_reasons() {
        assert!(Report::default().lost().is_none());
        let dropped = Dropped { queue_full: 2, shutdown: 3, ..Dropped::default() };
        let spans = Account { ended: 10, exported: 4, rejected: 1, dropped, ..Account::default() };
        assert!(spans.adds_up());
        let dropped = Dropped { export_failed: 1, ..Dropped::default() };
        let metric_points = Account { ended: 1, dropped, ..Account::default() };
        let report = Report { spans, metric_points, ..Report::default() };
        let told = report.lost().unwrap().to_string();
        assert_eq!(told, "6 spans (rejected, queue_full, shutdown), 1 metric points (export_failed)");
    }
}
