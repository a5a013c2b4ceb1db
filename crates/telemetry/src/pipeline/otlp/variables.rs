use crate::environment::Environment;
use crate::pipeline::signal::Signal;

/// The `OTEL_EXPORTER_OTLP_*` variables that hold for one signal: its own, such as `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`,
/// goes before that of all signals.
pub(super) struct Variables<'a> {
    pub(super) environment: &'a Environment,
    pub(super) signal: Signal,
}

// === impl Variables ===

impl<'a> Variables<'a> {
    pub(super) fn new(environment: &'a Environment, signal: Signal) -> Self {
        Self { environment, signal }
    }

    /// The value of the signal's own variable, such as `TIMEOUT`.
    pub(super) fn own(&self, what: &str) -> Option<&'a str> {
        self.environment.get(&self.own_name(what))
    }

    /// The value that holds.
    pub(super) fn get(&self, what: &str) -> Option<&'a str> {
        self.environment.get(&self.name(what))
    }

    /// The value that holds, for one of a few words; empty if there is none.
    pub(super) fn lower_case(&self, what: &str) -> String {
        self.get(what).unwrap_or_default().to_ascii_lowercase()
    }

    /// The name of the variable that holds.
    pub(super) fn name(&self, what: &str) -> String {
        if self.own(what).is_some() { self.own_name(what) } else { format!("OTEL_EXPORTER_OTLP_{what}") }
    }

    /// Warns of the variable that holds.
    pub(super) fn warn(&self, what: &str, how: &str) {
        self.environment.warn(&self.name(what), how);
    }

    fn own_name(&self, what: &str) -> String {
        format!("OTEL_EXPORTER_OTLP_{}_{what}", self.signal.variable())
    }
}
