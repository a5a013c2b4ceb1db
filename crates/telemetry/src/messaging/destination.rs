use std::sync::{Arc, OnceLock};

use opentelemetry::KeyValue;

use super::metrics::Series;
use crate::semconv;

/// Where messages go to or come from, as its spans and series say it.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    system: Arc<str>,
    name: Arc<str>,
    group: Option<Arc<str>>,
    server: Option<(Arc<str>, u16)>,
    /// What its operations are told by, made once for each.
    series: Arc<[OnceLock<Arc<Series>>; Operation::COUNT]>,
}

/// What is done with messages (semantic conventions 1.45, `docs/messaging/messaging-spans.md`, "Operation types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Send,
    Receive,
    Process,
    Settle,
}

// === impl Destination ===

impl Destination {
    pub(super) fn new(system: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { system: system.into(), name: name.into(), group: None, server: None, series: Arc::default() }
    }

    pub(super) fn set_group(&mut self, group: Arc<str>) {
        self.group = Some(group);
        self.series = Arc::default();
    }

    pub(super) fn set_server(&mut self, address: Arc<str>, port: u16) {
        self.server = Some((address, port));
        self.series = Arc::default();
    }

    /// What an operation is told by.
    pub(super) fn series(&self, operation: Operation) -> Arc<Series> {
        let new = || {
            let span_name = format!("{} {}", operation.name(), self.name);
            Arc::new(Series::new(operation, span_name, self.attributes(operation)))
        };
        Arc::clone(self.series[operation as usize].get_or_init(new))
    }

    /// What spans and series have in common.
    fn attributes(&self, operation: Operation) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(10);
        attributes.push(KeyValue::new(semconv::MESSAGING_SYSTEM, Arc::clone(&self.system)));
        attributes.push(KeyValue::new(semconv::MESSAGING_OPERATION_NAME, operation.name()));
        attributes.push(KeyValue::new(semconv::MESSAGING_OPERATION_TYPE, operation.name()));
        attributes.push(KeyValue::new(semconv::MESSAGING_DESTINATION_NAME, Arc::clone(&self.name)));
        attributes.extend(self.group.clone().map(|name| KeyValue::new(semconv::MESSAGING_CONSUMER_GROUP_NAME, name)));
        if let Some((address, port)) = &self.server {
            attributes.push(KeyValue::new(semconv::SERVER_ADDRESS, Arc::clone(address)));
            attributes.push(KeyValue::new(semconv::SERVER_PORT, i64::from(*port)));
        }
        attributes
    }
}

// === impl Operation ===

impl Operation {
    const COUNT: usize = 5;

    /// The operation's name, which is also its type: a system's own name for it would be another.
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Process => "process",
            Self::Settle => "settle",
        }
    }
}
