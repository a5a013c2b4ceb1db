//! How long requests take and how many are in flight, by instruments that are bound once for each series, so that a
//! request costs a few look-ups.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, StringValue};
use reqwest::StatusCode;

use super::asked::Asked;
use crate::clock::BUCKETS;
use crate::lock::{read, write};
use crate::semconv;

/// For how many kinds of requests series are bound; the rest are recorded without. Only a client that calls wherever it
/// is told to comes near it.
const MOST_KINDS: usize = 256;

/// For how many ways to end series are bound, of each kind: a peer answers with what codes it likes.
const MOST_ENDINGS: usize = 64;

/// Measures the requests of one client.
#[derive(Debug)]
pub(super) struct RequestMeter {
    instruments: Instruments,
    bound: RwLock<HashMap<Asked, Arc<Series>>>,
}

#[derive(Clone, Debug)]
struct Instruments {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

/// The series of the requests that ask for the same.
#[derive(Debug)]
struct Series {
    instruments: Instruments,
    asked: Asked,
    /// `None` where there are enough that are bound.
    bound: Option<Bound>,
}

#[derive(Debug)]
struct Bound {
    active: BoundUpDownCounter<i64>,
    durations: RwLock<HashMap<Ending, BoundHistogram<f64>>>,
}

/// A request that is counted as in flight until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Series>);

/// How a request ended, as its span says it too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
        let duration = duration.with_boundaries(BUCKETS.to_vec()).build();
        Self { instruments: Instruments { duration, active: active.build() }, bound: RwLock::default() }
    }

    /// Counts a request that is sent.
    pub(super) fn count(&self, asked: &Asked) -> InFlight {
        let known = read(&self.bound).get(asked).cloned();
        let series = known.unwrap_or_else(|| self.series(asked));
        series.count(1);
        InFlight(series)
    }

    /// The series of these requests, bound where there is room.
    fn series(&self, asked: &Asked) -> Arc<Series> {
        let mut bound = write(&self.bound);
        if !bound.contains_key(asked) && bound.len() == MOST_KINDS {
            return Arc::new(Series { instruments: self.instruments.clone(), asked: asked.clone(), bound: None });
        }
        let series = bound.entry(asked.clone());
        Arc::clone(series.or_insert_with(|| Arc::new(Series::bound(&self.instruments, asked))))
    }
}

// === impl Series ===

impl Series {
    fn bound(instruments: &Instruments, asked: &Asked) -> Self {
        let active = instruments.active.bind(&asked.with_template());
        let bound = Bound { active, durations: RwLock::default() };
        Self { instruments: instruments.clone(), asked: asked.clone(), bound: Some(bound) }
    }

    fn count(&self, change: i64) {
        match &self.bound {
            Some(bound) => bound.active.add(change),
            None => self.instruments.active.add(change, &self.asked.with_template()),
        }
    }

    fn record(&self, elapsed: Duration, ending: &Ending) {
        let elapsed = elapsed.as_secs_f64();
        let durations = self.bound.as_ref().map(|bound| &bound.durations);
        if let Some(durations) = durations
            && let Some(duration) = read(durations).get(ending)
        {
            return duration.record(elapsed);
        }
        // The template belongs to the number of active requests only.
        let attributes: Vec<_> = self.asked.attributes().chain(ending.attributes()).collect();
        // Recorded before it is bound: a bound series is exported even if nothing was recorded yet.
        self.instruments.duration.record(elapsed, &attributes);
        let Some(durations) = durations else { return };
        let mut durations = write(durations);
        if durations.len() < MOST_ENDINGS {
            durations.entry(ending.clone()).or_insert_with(|| self.instruments.duration.bind(&attributes));
        }
    }
}

// === impl InFlight ===

impl InFlight {
    /// Records the request's duration: it has ended.
    pub(super) fn end(self, elapsed: Duration, ending: &Ending) {
        self.0.record(elapsed, ending);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.count(-1);
    }
}

// === impl Ending ===

impl Ending {
    fn attributes(&self) -> impl Iterator<Item = KeyValue> {
        let status = self.status.map(|status| i64::from(status.as_u16()));
        let status = status.map(|status| KeyValue::new(semconv::HTTP_RESPONSE_STATUS_CODE, status));
        let version = self.version.map(|version| KeyValue::new(semconv::NETWORK_PROTOCOL_VERSION, version));
        let error = self.error_type.clone().map(|kind| KeyValue::new(semconv::ERROR_TYPE, kind));
        status.into_iter().chain(version).chain(error)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::{Method, Request};

    use super::*;
    use crate::Service;
    use crate::http_client::HttpCall;
    use crate::http_method::KnownMethods;
    use crate::testing::Spans;

    const DURATION: &str = "http.client.request.duration";

    fn asked(port: usize) -> Asked {
        let request = Request::new(Method::GET, format!("http://bank:{port}").parse().unwrap());
        Asked::of(&KnownMethods::default(), &request, HttpCall { url_template: "/", resend_count: 0 })
    }

    fn ended_with(code: usize) -> Ending {
        Ending { status: StatusCode::from_u16(code as u16).ok(), ..Ending::default() }
    }

    #[test]
    fn requests_are_counted_alike_whether_or_not_their_series_is_bound() {
        let spans = Spans::new();
        let telemetry = spans.service(Service::new("shop", "0"));
        let meter = RequestMeter::new(telemetry.meter().unwrap());
        for port in 1..=MOST_KINDS + 20 {
            for _ in 0..3 {
                meter.count(&asked(port)).end(Duration::from_millis(5), &ended_with(200));
            }
        }
        let metrics = spans.metrics_now();
        assert_eq!(meter.bound.read().unwrap().len(), MOST_KINDS);
        for port in [1, MOST_KINDS, MOST_KINDS + 1, MOST_KINDS + 20] {
            assert_eq!(metrics.count(DURATION, &[("server.port", &port.to_string())]), 3, "{port}");
        }
        let held = [meter.count(&asked(1)), meter.count(&asked(MOST_KINDS + 20))];
        let active = || spans.metrics_now().sum("http.client.active_requests", &[]);
        assert_eq!(active(), 2.0);
        drop(held);
        assert_eq!(active(), 0.0);
    }

    #[test]
    fn endings_are_counted_alike_whether_or_not_their_series_is_bound() {
        let spans = Spans::new();
        let telemetry = spans.service(Service::new("shop", "0"));
        let meter = RequestMeter::new(telemetry.meter().unwrap());
        for code in 200..200 + MOST_ENDINGS + 20 {
            for _ in 0..3 {
                meter.count(&asked(1)).end(Duration::from_millis(5), &ended_with(code));
            }
        }
        let series = Arc::clone(&meter.bound.read().unwrap()[&asked(1)]);
        assert_eq!(series.bound.as_ref().unwrap().durations.read().unwrap().len(), MOST_ENDINGS);
        let metrics = spans.metrics_now();
        for code in [200, 200 + MOST_ENDINGS + 19] {
            assert_eq!(metrics.count(DURATION, &[("http.response.status_code", &code.to_string())]), 3, "{code}");
        }
    }
}
