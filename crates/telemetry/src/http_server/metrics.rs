//! How long requests take and how many are in flight, by instruments that are bound once for each series, so that a
//! request costs a few look-ups.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use foldhash::HashMap as FastMap;
use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, StringValue};

use super::asked::Asked;
use super::serving::Ending;
use crate::clock::BUCKETS;
use crate::lock::{read, write};
use crate::semconv;

/// How many routes have series of their own; the rest are counted without a route. No real service comes near it.
const MOST_ROUTES: usize = 256;

/// For how many ways to end series are bound, of each route; the rest are recorded without.
const MOST_ENDINGS: usize = 64;

/// Measures the requests of one server.
#[derive(Debug)]
pub(super) struct RequestMeter {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
    bound: RwLock<FastMap<Asking, BoundUpDownCounter<i64>>>,
    /// By names that a caller may have chosen, where the application says the routes.
    routes: RwLock<HashMap<Box<str>, Arc<Route>>>,
    /// The series of every request without a route.
    unrouted: Arc<Route>,
}

/// What is known of a request before its answer: few values each, whatever a caller sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asking {
    method: StringValue,
    scheme: &'static str,
}

/// The series of one route.
#[derive(Debug, Default)]
struct Route {
    /// `None` where there is no route.
    name: Option<Arc<str>>,
    durations: RwLock<FastMap<Series, BoundHistogram<f64>>>,
}

/// What tells the series of one route apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Series {
    asking: Asking,
    version: Option<&'static str>,
    ending: Ending,
}

/// A request that is counted as in flight until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    meter: Arc<RequestMeter>,
    route: Arc<Route>,
    asking: Asking,
    version: Option<&'static str>,
    active: BoundUpDownCounter<i64>,
}

// === impl RequestMeter ===

impl RequestMeter {
    pub(super) fn new(meter: &Meter) -> Self {
        let duration = meter.f64_histogram(semconv::HTTP_SERVER_REQUEST_DURATION).with_unit("s");
        let duration = duration.with_description("Duration of HTTP server requests.");
        let active = meter.i64_up_down_counter(semconv::HTTP_SERVER_ACTIVE_REQUESTS).with_unit("{request}");
        let active = active.with_description("Number of active HTTP server requests.");
        Self {
            duration: duration.with_boundaries(BUCKETS.to_vec()).build(),
            active: active.build(),
            bound: RwLock::default(),
            routes: RwLock::default(),
            unrouted: Arc::default(),
        }
    }

    /// Counts a request that has come in. Its series never name the server: callers choose how they call it.
    pub(super) fn count(this: &Arc<Self>, asked: &Asked<'_>) -> InFlight {
        let asking = Asking { method: asked.method.clone(), scheme: asked.scheme };
        let active = this.active(&asking);
        active.add(1);
        let route = asked.route.as_deref().and_then(|name| this.route(name));
        let route = route.unwrap_or_else(|| Arc::clone(&this.unrouted));
        InFlight { meter: Arc::clone(this), route, asking, version: asked.version, active }
    }

    fn active(&self, asking: &Asking) -> BoundUpDownCounter<i64> {
        let bound = read(&self.bound).get(asking).cloned();
        bound.unwrap_or_else(|| {
            let mut all = write(&self.bound);
            all.entry(asking.clone()).or_insert_with(|| self.active.bind(&asking.attributes())).clone()
        })
    }

    /// The series of the route called `name`, made if need be; `None` where there are enough.
    fn route(&self, name: &str) -> Option<Arc<Route>> {
        if let Some(route) = read(&self.routes).get(name) {
            return Some(Arc::clone(route));
        }
        let mut routes = write(&self.routes);
        if !routes.contains_key(name) && routes.len() == MOST_ROUTES {
            return None;
        }
        let route = routes.entry(name.into());
        Some(Arc::clone(route.or_insert_with(|| Arc::new(Route { name: Some(name.into()), ..Route::default() }))))
    }
}

// === impl Asking ===

impl Asking {
    fn attributes(&self) -> [KeyValue; 2] {
        [
            KeyValue::new(semconv::HTTP_REQUEST_METHOD, self.method.clone()),
            KeyValue::new(semconv::URL_SCHEME, self.scheme),
        ]
    }
}

// === impl Route ===

impl Route {
    fn record(&self, duration: &Histogram<f64>, elapsed: Duration, series: Series) {
        let elapsed = elapsed.as_secs_f64();
        if let Some(bound) = read(&self.durations).get(&series) {
            return bound.record(elapsed);
        }
        let mut attributes = series.asking.attributes().to_vec();
        attributes.extend(self.name.clone().map(|name| KeyValue::new(semconv::HTTP_ROUTE, name)));
        attributes.extend(series.version.map(|version| KeyValue::new(semconv::NETWORK_PROTOCOL_VERSION, version)));
        attributes.extend(series.ending.attributes());
        // Recorded before it is bound: a bound series is exported even if nothing was recorded yet.
        duration.record(elapsed, &attributes);
        let mut durations = write(&self.durations);
        if durations.len() < MOST_ENDINGS {
            durations.entry(series).or_insert_with(|| duration.bind(&attributes));
        }
    }
}

// === impl InFlight ===

impl InFlight {
    /// Records the request's duration: it has ended.
    pub(super) fn end(self, elapsed: Duration, ending: Ending) {
        let series = Series { asking: self.asking.clone(), version: self.version, ending };
        self.route.record(&self.meter.duration, elapsed, series);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.active.add(-1);
    }
}
