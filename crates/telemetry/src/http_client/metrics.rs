//! How long requests take and how many are in flight.

use std::time::Duration;

use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, StringValue};
use reqwest::StatusCode;

use crate::clock::BUCKETS;
use crate::semconv;

/// Measures the requests of one client; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct RequestMeter {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

/// A request that is counted as in flight until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    meter: RequestMeter,
    /// `http.request.method`, `server.address` and `server.port`; last `url.template`, if the request has one.
    attributes: Vec<KeyValue>,
    has_template: bool,
}

/// How a request ended, as its span says it too.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) status: Option<StatusCode>,
    pub(super) version: Option<&'static str>,
    pub(super) error_type: Option<StringValue>,
}

// === impl RequestMeter ===

impl RequestMeter {
    pub(super) fn new(meter: &Meter) -> Self {
        let duration = meter.f64_histogram(semconv::HTTP_CLIENT_REQUEST_DURATION).with_unit("s");
        let duration = duration.with_description("Duration of HTTP client requests.");
        let active = meter.i64_up_down_counter(semconv::HTTP_CLIENT_ACTIVE_REQUESTS).with_unit("{request}");
        let active = active.with_description("Number of active HTTP requests.");
        Self { duration: duration.with_boundaries(BUCKETS.to_vec()).build(), active: active.build() }
    }

    /// Counts a request with these attributes, and `url_template` if it has one.
    pub(super) fn count(&self, mut attributes: Vec<KeyValue>, url_template: &'static str) -> InFlight {
        let has_template = !url_template.is_empty();
        attributes.extend(has_template.then(|| KeyValue::new(semconv::URL_TEMPLATE, url_template)));
        self.active.add(1, &attributes);
        InFlight { meter: self.clone(), attributes, has_template }
    }
}

// === impl InFlight ===

impl InFlight {
    /// Records the request's duration: it has ended.
    pub(super) fn end(self, elapsed: Duration, ending: &Ending) {
        // The template belongs to the number of active requests only.
        let mut attributes = self.attributes[..self.attributes.len() - usize::from(self.has_template)].to_vec();
        let status = ending.status.map(|status| i64::from(status.as_u16()));
        attributes.extend(status.map(|status| KeyValue::new(semconv::HTTP_RESPONSE_STATUS_CODE, status)));
        attributes.extend(ending.version.map(|version| KeyValue::new(semconv::NETWORK_PROTOCOL_VERSION, version)));
        attributes.extend(ending.error_type.clone().map(|kind| KeyValue::new(semconv::ERROR_TYPE, kind)));
        self.meter.duration.record(elapsed.as_secs_f64(), &attributes);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.meter.active.add(-1, &self.attributes);
    }
}
