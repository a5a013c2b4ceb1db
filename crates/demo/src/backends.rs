//! Everything that stands behind the services: what is given is asked, what is not is `None`.

use crate::arguments::BackendArguments;
use crate::backend::Backend;
use crate::loki::Loki;
use crate::prometheus::Prometheus;
use crate::tempo::Tempo;
use crate::view::View;

/// The backends of a running system.
#[derive(Clone, Debug)]
pub(crate) struct Backends {
    /// Jaeger, or the demo's own collector.
    pub(crate) view: View,
    /// The metrics made before sampling.
    pub(crate) prometheus: Option<Prometheus>,
    /// A second store of traces.
    pub(crate) tempo: Option<Tempo>,
    /// The logs.
    pub(crate) loki: Option<Loki>,
    /// The OpenTelemetry Collector's OTLP/HTTP receiver.
    pub(crate) collector: Option<Backend>,
    /// The share of healthy traces that the Collector is told to keep, from 0 to 1.
    pub(crate) kept_share: f64,
}

// === impl Backends ===

impl Backends {
    /// The backends at the addresses that were given.
    pub(crate) fn new(arguments: &BackendArguments) -> anyhow::Result<Self> {
        let at = |address: &Option<String>| address.as_deref().map(Backend::new).transpose();
        Ok(Self {
            view: View::new(&arguments.services.view.view)?,
            prometheus: at(&arguments.prometheus)?.map(Prometheus::new),
            tempo: at(&arguments.tempo)?.map(Tempo::new),
            loki: at(&arguments.loki)?.map(Loki::new),
            collector: at(&arguments.collector)?,
            kept_share: arguments.sample_percent / 100.0,
        })
    }
}
