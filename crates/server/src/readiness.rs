//! Whether the service can do its work: the one state that health, `/readyz` and the log read.

use serde::Serialize;
use tokio::sync::watch;
use tracing::{info, warn};

/// What each check said last, and whether the service is on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    stopping: bool,
    checks: Vec<Checked>,
}

/// One check's last word, as `/readyz` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checked {
    name: &'static str,
    /// Nothing when it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

// === impl Readiness ===

impl Readiness {
    /// A service none of whose checks has been made yet; ready at once when it has none.
    pub(crate) fn unknown(checks: impl Iterator<Item = &'static str>) -> watch::Sender<Self> {
        let checks = checks.map(|name| Checked { name, error: Some("not checked yet".to_owned()) }).collect();
        watch::Sender::new(Self { stopping: false, checks })
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.stopping && self.checks.iter().all(|check| check.error.is_none())
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub(crate) fn checks(&self) -> &[Checked] {
        &self.checks
    }

    /// Takes the service out of rotation for good.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Takes in one round of results, in the order of the checks, and logs what changed. Whether anything did.
    pub(crate) fn update(&mut self, results: Vec<Result<(), String>>) -> bool {
        let mut changed = false;
        for (check, result) in self.checks.iter_mut().zip(results) {
            changed |= check.update(result.err());
        }
        changed
    }
}

// === impl Checked ===

impl Checked {
    fn update(&mut self, error: Option<String>) -> bool {
        if self.error == error {
            return false;
        }
        match &error {
            Some(error) => warn!(check = self.name, error, "check failed"),
            None => info!(check = self.name, "check passed"),
        }
        self.error = error;
        true
    }
}
