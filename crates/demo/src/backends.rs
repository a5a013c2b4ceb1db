//! Everything that stands behind the services: what is given is asked, what is not is `None`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::arguments::BackendArguments;
use crate::backend::Backend;
use crate::loki::Loki;
use crate::prometheus::Prometheus;
use crate::tempo::Tempo;
use crate::view::View;

/// From here on the Collector takes a trace for slow, and keeps it whatever the share.
pub(crate) const SLOW_FROM: Duration = Duration::from_secs(1);

/// How far from its mean the number of kept traces may be, in standard deviations: once in a thousand runs it is more.
const SIGMAS: f64 = 3.3;

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

    /// How many of so many healthy traces are kept, if the Collector does as it is told.
    pub(crate) fn expected_of(&self, count: usize) -> RangeInclusive<usize> {
        bounds(count, self.kept_share)
    }
}

/// How many of `count` are kept, if each is with the probability `share`.
fn bounds(count: usize, share: f64) -> RangeInclusive<usize> {
    let count = count as f64;
    let (mean, spread) = (count * share, SIGMAS * (count * share * (1.0 - share)).sqrt());
    let whole = |number: f64| number.clamp(0.0, count).round() as usize;
    whole(mean - spread)..=whole(mean + spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_the_binomial_distribution() {
        assert_eq!(bounds(200, 0.1), 6..=34);
        assert_eq!(bounds(200, 0.5), 77..=123);
        assert_eq!(bounds(200, 0.99), 193..=200);
    }

    #[test]
    fn nothing_is_kept_of_nothing_and_everything_of_everything() {
        assert_eq!((bounds(200, 0.0), bounds(200, 1.0), bounds(0, 0.1)), (0..=0, 200..=200, 0..=0));
    }
}
