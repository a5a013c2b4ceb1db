//! How long calls take and how many are in flight, by instruments that are bound once for each series: what a call
//! costs from then on is one look-up, two additions and one more in a histogram, and no allocation.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use foldhash::HashMap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter, Histogram, Meter, UpDownCounter};
use tonic::Code;

use crate::clock::BUCKETS;
use crate::lock::{read, write};
use crate::rpc::methods::{Method, Standing};
use crate::rpc::names::Generated;
use crate::rpc::outcome::{Outcome, Side, code_name};
use crate::semconv;

/// How many methods have series of their own; the rest share those of `_OTHER`. No real service comes near it.
const MOST_METHODS: usize = 256;

/// Measures the calls that one server takes, by the names of their methods.
pub(crate) type ServerMeter = CallMeter<Box<str>>;

/// Measures the calls made through one channel, by the methods of the generated client.
pub(crate) type ClientMeter = CallMeter<Generated>;

/// The series of one server or channel.
#[derive(Debug)]
pub(crate) struct CallMeter<K> {
    instruments: Instruments,
    /// What its series have in common.
    common: Vec<KeyValue>,
    methods: RwLock<HashMap<K, Arc<Series>>>,
    /// The series of every method that is not known; made when there is one.
    other: OnceLock<Arc<Series>>,
}

#[derive(Clone, Debug)]
struct Instruments {
    side: Side,
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

/// The series of one method.
#[derive(Debug)]
struct Series {
    instruments: Instruments,
    attributes: Vec<KeyValue>,
    active: BoundUpDownCounter<i64>,
    /// One for each way to end that has come up, by [`Outcome::index`].
    durations: [OnceLock<BoundHistogram<f64>>; Outcome::COUNT],
}

/// A call that is counted as in flight until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    series: Arc<Series>,
    /// What the method is to be known by if this call proves that it exists.
    unproven: Option<(Arc<ServerMeter>, Box<str>)>,
}

// === impl CallMeter ===

impl ServerMeter {
    pub(crate) fn server(meter: &Meter) -> Self {
        // Never `server.address`: callers choose it.
        Self::new(Instruments::new(meter, Side::Server), Vec::new())
    }

    /// Counts a call that has come in.
    ///
    /// Where nothing says which methods there are, one is known from its first OK on, so that paths invented by callers
    /// make no series.
    pub(crate) fn count(this: &Arc<Self>, method: &Method<'_>) -> InFlight {
        let known = match method.standing {
            Standing::Unknown => None,
            Standing::Known(_) => this.series(method.name, || method.name.into(), || method.name.to_owned()),
            Standing::Unproven => this.find(method.name),
        };
        let unproven = (method.standing == Standing::Unproven && known.is_none())
            .then(|| (Arc::clone(this), Box::from(method.name)));
        InFlight::new(known.unwrap_or_else(|| this.other()), unproven)
    }
}

impl ClientMeter {
    /// `address` is the server's, as it was configured.
    pub(crate) fn client(meter: &Meter, address: &[KeyValue]) -> Self {
        Self::new(Instruments::new(meter, Side::Client), address.to_vec())
    }

    /// Counts a call that is made. Only generated clients say their methods: a path may come from anywhere.
    pub(crate) fn count(&self, method: Option<&Generated>) -> InFlight {
        let known = method.and_then(|method| self.series(method, || method.clone(), || method.name().to_owned()));
        InFlight::new(known.unwrap_or_else(|| self.other()), None)
    }
}

impl<K: Eq + Hash> CallMeter<K> {
    fn new(instruments: Instruments, common: Vec<KeyValue>) -> Self {
        Self { instruments, common, methods: RwLock::default(), other: OnceLock::new() }
    }

    fn other(&self) -> Arc<Series> {
        let new = || Arc::new(Series::new(&self.instruments, semconv::OTHER.to_owned(), &self.common));
        Arc::clone(self.other.get_or_init(new))
    }

    fn find<Q>(&self, key: &Q) -> Option<Arc<Series>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        read(&self.methods).get(key).cloned()
    }

    /// The series of the method called `name`, made if need be; `None` where there are enough.
    fn series<Q>(&self, key: &Q, own: impl FnOnce() -> K, name: impl FnOnce() -> String) -> Option<Arc<Series>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if let Some(series) = self.find(key) {
            return Some(series);
        }
        let mut methods = write(&self.methods);
        if !methods.contains_key(key) && methods.len() == MOST_METHODS {
            return None;
        }
        let make = || Arc::new(Series::new(&self.instruments, name(), &self.common));
        Some(Arc::clone(methods.entry(own()).or_insert_with(make)))
    }
}

// === impl Instruments ===

impl Instruments {
    fn new(meter: &Meter, side: Side) -> Self {
        let (duration, measured, active, counted) = match side {
            Side::Server => (
                semconv::RPC_SERVER_CALL_DURATION,
                "Measures the duration of an incoming Remote Procedure Call (RPC).",
                semconv::RPC_SERVER_ACTIVE_CALLS,
                "Number of calls that the server is working on.",
            ),
            Side::Client => (
                semconv::RPC_CLIENT_CALL_DURATION,
                "Measures the duration of an outgoing Remote Procedure Call (RPC).",
                semconv::RPC_CLIENT_ACTIVE_CALLS,
                "Number of calls that the client waits for.",
            ),
        };
        let duration = meter.f64_histogram(duration).with_unit("s").with_description(measured);
        let active = meter.i64_up_down_counter(active).with_unit("{call}").with_description(counted);
        Self { side, duration: duration.with_boundaries(BUCKETS.to_vec()).build(), active: active.build() }
    }
}

// === impl Series ===

impl Series {
    fn new(instruments: &Instruments, method: String, common: &[KeyValue]) -> Self {
        let own = [KeyValue::new(semconv::RPC_SYSTEM_NAME, "grpc"), KeyValue::new(semconv::RPC_METHOD, method)];
        let attributes = [&own, common].concat();
        let active = instruments.active.bind(&attributes);
        Self { instruments: instruments.clone(), attributes, active, durations: Default::default() }
    }

    fn record(&self, elapsed: Duration, outcome: &Outcome) {
        let elapsed = elapsed.as_secs_f64();
        let duration = &self.durations[outcome.index()];
        if let Some(duration) = duration.get() {
            return duration.record(elapsed);
        }
        let mut attributes = self.attributes.clone();
        attributes.push(KeyValue::new(semconv::RPC_STATUS_CODE, code_name(outcome.code)));
        let failure = outcome.failure(self.instruments.side);
        attributes.extend(failure.map(|error_type| KeyValue::new(semconv::ERROR_TYPE, error_type)));
        // Recorded before it is bound: a bound series is exported even if nothing was recorded yet.
        self.instruments.duration.record(elapsed, &attributes);
        let _ = duration.set(self.instruments.duration.bind(&attributes));
    }
}

// === impl InFlight ===

impl InFlight {
    fn new(series: Arc<Series>, unproven: Option<(Arc<ServerMeter>, Box<str>)>) -> Self {
        series.active.add(1);
        Self { series, unproven }
    }

    /// Records the call's duration: it has ended.
    pub(crate) fn end(mut self, elapsed: Duration, outcome: &Outcome) {
        let proven = self.unproven.take().filter(|_| outcome.code == Code::Ok);
        let own = proven.and_then(|(meter, name)| meter.series(&*name, || name.clone(), || name.to_string()));
        own.as_ref().unwrap_or(&self.series).record(elapsed, outcome);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.series.active.add(-1);
    }
}
