use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Spool;
use super::budget::Budget;
use super::slot::{SIGNALS, Slots};
use crate::environment::Environment;
use crate::pipeline::signal::Signal;

const DIRECTORY: &str = "TELEMETRY_SPOOL_DIR";
const MOST_BYTES: &str = "TELEMETRY_SPOOL_MAX_BYTES";

/// The least and the usual room.
const LEAST_ROOM: u64 = 1 << 20;
const USUAL_ROOM: u64 = 256 << 20;

/// The spools of one process, in a directory that no other process uses at the same time. It is free again once all three
/// are dropped.
#[derive(Debug)]
pub(in crate::pipeline) struct Spools {
    traces: Arc<Spool>,
    logs: Arc<Spool>,
    metrics: Arc<Spool>,
}

// === impl Spools ===

impl Spools {
    /// The spools that the environment asks for, with what earlier processes of the service have left.
    ///
    /// `None` if it asks for none, or if the directory cannot be used: then with a warning.
    pub(in crate::pipeline) fn open(environment: &Environment, service_name: &str) -> Option<Self> {
        let directory = environment.get(DIRECTORY)?;
        let most_bytes = environment.number(MOST_BYTES, LEAST_ROOM, USUAL_ROOM);
        let spools = match Self::claim(Path::new(directory), service_name, most_bytes) {
            Ok(spools) => spools,
            Err(error) => {
                environment.warn(DIRECTORY, &format!("cannot be used, nothing is kept on disk: {error}"));
                return None;
            }
        };
        let quarantined: u64 = spools.all().iter().map(|spool| spool.status().quarantined).sum();
        if quarantined > 0 {
            let what = format!("holds files of another format: {quarantined} are not sent, but renamed *.quarantined");
            environment.warn(DIRECTORY, &what);
        }
        Some(spools)
    }

    /// Spools in a slot of `directory`, with room for `most_bytes` in all.
    pub(super) fn claim(directory: &Path, service_name: &str, most_bytes: u64) -> io::Result<Self> {
        let slot = Arc::new(Slots::of(directory, service_name)?.claim()?);
        let budget = Arc::new(Budget::new(most_bytes));
        let open = |signal| Spool::open(Arc::clone(&slot), signal, Arc::clone(&budget)).map(Arc::new);
        let [traces, logs, metrics] = SIGNALS.map(open);
        let spools = Self { traces: traces?, logs: logs?, metrics: metrics? };
        // What was set aside is told of with all else that was.
        spools.all().into_iter().for_each(|spool| _ = spool.adopt());
        Ok(spools)
    }

    pub(in crate::pipeline) fn of(&self, signal: Signal) -> Arc<Spool> {
        Arc::clone(match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
        })
    }

    fn all(&self) -> [&Spool; 3] {
        [&self.traces, &self.logs, &self.metrics]
    }
}
