//! Which traces are recorded, and which of those are exported.

mod pattern;
mod rules;
mod standard;
mod chance;
mod striped;
mod allowance;
mod fair_rate;
mod first;
mod sampler;
mod room;
mod keeper;
mod keeping;
mod report;
mod settings;

use std::time::Duration;

use serde::Serialize;

use crate::environment::Environment;
use pattern::Pattern;
use rules::Rule;
use standard::Standard;

pub(crate) use first::Ids;
pub use report::{Decided, MethodShare, Recorded, SamplingReport};
pub(crate) use sampler::Sampler;
pub use settings::{SamplingRule, SamplingSettings};

/// Which traces are sampled: what code asks for beside `OTEL_TRACES_SAMPLER`, and what the environment may change.
///
/// ```
/// use std::time::Duration;
/// use telemetry::{Sample, Sampling, Service};
///
/// let sampling = Sampling::new()
///     .method("shop.order.v1.OrderService/Watch*", Sample::Never)
///     .method("shop.order.v1.OrderService/List*", Sample::Ratio(0.1))
///     .traces_per_second(20.0)
///     .keep_errors()
///     .keep_slower_than(Duration::from_millis(500));
/// let service = Service::new("order", "1.0.0").sampling(sampling);
/// ```
///
/// Nothing of it needs code. A variable that is set goes before what code says:
///
/// | variable | | in code |
/// |---|---|---|
/// | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | the standard samplers `always_on`, `always_off`, `traceidratio` and `parentbased_` each; `parentbased_always_on` unless set | |
/// | `TELEMETRY_SAMPLING_RULES` | `NAME=always`, `NAME=never`, `NAME=RATIO`, separated by commas: [rules](Self::method) that go before those of the code | [`method`](Self::method) |
/// | `TELEMETRY_TRACES_PER_SECOND` | at most so many traces a second, shared fairly between methods | [`traces_per_second`](Self::traces_per_second) |
/// | `TELEMETRY_KEEP_ERRORS` | `true` keeps traces that fail, though unsampled | [`keep_errors`](Self::keep_errors) |
/// | `TELEMETRY_KEEP_SLOWER_THAN` | such as `500ms` or `2s`: keeps traces that take longer, though unsampled | [`keep_slower_than`](Self::keep_slower_than) |
/// | `TELEMETRY_FORCED_TRACES_PER_SECOND` | how many callers a second may have their trace sampled by its `sampled` flag | [`forced_per_second`](Self::forced_per_second) |
///
/// # Who decides
///
/// Of a span with a parent in the same process, its parent: a call is sampled with all that is below it, or not at all.
/// Of a call with a caller who is believed ([`TrustTrace`](crate::TrustTrace)), the caller, with the `parentbased_`
/// samplers. Of all others the first of these that applies:
///
/// 1. the first rule that names it; neither the standard sampler nor the rate then has a say;
/// 2. the standard sampler, if that says no;
/// 3. the rate, or the standard sampler's yes.
///
/// [`Telemetry::sampling`](crate::Telemetry::sampling) tells what decides, and what was decided how often and why. Spans carry nothing of
/// it, and no `tracestate` either: OpenTelemetry's probability in the `tracestate` is still in development.
///
/// # What each costs
///
/// Measured in a release build on a virtual machine with two cores of an AMD EPYC, in nanoseconds:
///
/// | | |
/// |---|---|
/// | a standard sampler decides | 20 |
/// | each rule that is tried and does not match | 4 to 10 more |
/// | the rate decides, also with both cores at it | 80 to 90 |
///
/// So rules and the rate cost little beside a call, and save most of it: see "The cost" on the crate's page. Keeping is paid
/// for with every call that is not kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    rules: Vec<Rule>,
    traces_per_second: Option<f64>,
    forced_per_second: Option<f64>,
    keep_errors: bool,
    keep_slower_than: Option<Duration>,
}

/// Which of the traces that a [rule](Sampling::method) names are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// All.
    Always,
    /// None, and they are not recorded for [`Sampling::keep_errors`] and [`Sampling::keep_slower_than`] either.
    Never,
    /// This part of them, from 0 to 1, by their trace id: a trace that a smaller ratio takes a greater one takes too.
    Ratio(f64),
}

// === impl Sampling ===

impl Sampling {
    /// What the environment says, and nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decides otherwise of the traces that begin with `name`: with a method such as `shop.v1.Shop/Get`, an HTTP route
    /// such as `/orders/{id}`, or a span of this name, such as `GET /orders/{id}`. `*` stands for any characters. The
    /// first rule that matches decides.
    ///
    /// # Panics
    /// If `sample` is a ratio that is not from 0 to 1.
    pub fn method(mut self, name: impl Into<String>, sample: Sample) -> Self {
        let is_ratio = !matches!(sample, Sample::Ratio(ratio) if !(0.0..=1.0).contains(&ratio));
        assert!(is_ratio, "a ratio is from 0 to 1");
        self.rules.push(Rule { pattern: Pattern::new(name), sample });
        self
    }

    /// Begins at most `rate` traces a second, and in a burst those of one second more.
    ///
    /// Each method may have an equal part of them; what it leaves, others may have. So a method that is called once a
    /// minute is traced each time, beside one that is called a thousand times a second. Parts follow the traffic from
    /// second to second. The first 200 methods have a part each, those beyond it one together.
    ///
    /// # Panics
    /// If `rate` is not a number above 0.
    pub fn traces_per_second(self, rate: f64) -> Self {
        assert!(is_rate(rate), "a rate is a number above 0");
        Self { traces_per_second: Some(rate), ..self }
    }

    /// Believes at most `rate` callers a second who say that their trace is sampled; of the others the service itself
    /// decides, as of a trace that begins here. Unless said, all are believed that [`TrustTrace`](crate::TrustTrace)
    /// lets in.
    ///
    /// For the edge, where a caller might have everything recorded that he sends (W3C Trace Context, "Denial of
    /// Service"). Each call counts, also of one trace, for a forger may use the same trace id again and again. Within a
    /// system, where a trace enters a service several times, it would tear traces.
    ///
    /// # Panics
    /// If `rate` is not a number above 0.
    pub fn forced_per_second(self, rate: f64) -> Self {
        assert!(is_rate(rate), "a rate is a number above 0");
        Self { forced_per_second: Some(rate), ..self }
    }

    /// Exports a call that fails, with all spans below it in this process, though it is not sampled: one whose span ends
    /// with the status Error.
    ///
    /// That is known only at the end, so the spans of unsampled calls are recorded and held back: an unsampled call then
    /// costs what a sampled one does, but for its export. There is room for 4096 calls at a time, 256 spans of each, and
    /// 32 MiB in all; of a call that does not fit, only its first span is kept.
    ///
    /// Those that the call calls are told that it is not sampled. They know nothing of its end: in the kept trace their
    /// spans are missing, unless they fail or are slow as well and keep their own. Where all services of a system do so,
    /// an error is found in each that it has passed through. Spans that begin after their call has ended are kept only
    /// below one that has not.
    pub fn keep_errors(self) -> Self {
        Self { keep_errors: true, ..self }
    }

    /// Exports a call that takes longer than `limit`, though it is not sampled; as [`keep_errors`](Self::keep_errors).
    pub fn keep_slower_than(self, limit: Duration) -> Self {
        Self { keep_slower_than: Some(limit), ..self }
    }

    /// What decides, once the environment has had its say.
    pub(crate) fn sampler(&self, environment: &Environment) -> Sampler {
        if environment.is_true("OTEL_SDK_DISABLED") {
            return Sampler::disabled(settings::variables(environment));
        }
        let standard = Standard::from_environment(environment);
        Sampler::new(standard, &self.under(environment), settings::variables(environment))
    }

    /// The same with what variables say instead.
    fn under(&self, environment: &Environment) -> Self {
        let rate = |name| rate_of(environment, name);
        let keep_errors = match environment.get("TELEMETRY_KEEP_ERRORS") {
            Some(_) => environment.is_true("TELEMETRY_KEEP_ERRORS"),
            None => self.keep_errors,
        };
        Self {
            rules: [Rule::from_environment(environment), self.rules.clone()].concat(),
            traces_per_second: rate("TELEMETRY_TRACES_PER_SECOND").or(self.traces_per_second),
            forced_per_second: rate("TELEMETRY_FORCED_TRACES_PER_SECOND").or(self.forced_per_second),
            keep_errors,
            keep_slower_than: duration_of(environment, "TELEMETRY_KEEP_SLOWER_THAN").or(self.keep_slower_than),
        }
    }
}

fn is_rate(rate: f64) -> bool {
    rate.is_finite() && rate > 0.0
}

fn rate_of(environment: &Environment, name: &str) -> Option<f64> {
    let rate = environment.get(name)?.parse().ok().filter(|rate| is_rate(*rate));
    if rate.is_none() {
        environment.warn(name, "is not a number above 0, ignored");
    }
    rate
}

fn duration_of(environment: &Environment, name: &str) -> Option<Duration> {
    let duration = humantime::parse_duration(environment.get(name)?).ok().filter(|limit| !limit.is_zero());
    if duration.is_none() {
        environment.warn(name, "is not a time such as `500ms` or `2s`, ignored");
    }
    duration
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded() -> Sampling {
        Sampling::new().method("coded", Sample::Never).traces_per_second(7.0).keep_errors()
    }

    #[track_caller]
    fn check(name: &str, value: &str, expected: Sampling) {
        let environment = [(name, value)].into_iter().collect();
        assert_eq!(coded().under(&environment), expected, "{name}={value}");
        assert_eq!(environment.take_warnings(), [""; 0], "{name}={value}");
    }

    #[track_caller]
    fn check_wrong(name: &str, value: &str) {
        let environment = [(name, value)].into_iter().collect();
        assert_eq!(coded().under(&environment), coded(), "{name}={value}");
        let warnings = environment.take_warnings();
        assert!(warnings.len() == 1 && warnings[0].starts_with(&format!("{name} ")), "{name}={value}: {warnings:?}");
    }

    #[test]
    fn a_variable_that_is_set_goes_before_the_code() {
        check("TELEMETRY_TRACES_PER_SECOND", "0.5", coded().traces_per_second(0.5));
        check("TELEMETRY_FORCED_TRACES_PER_SECOND", "2", coded().forced_per_second(2.0));
        check("TELEMETRY_KEEP_ERRORS", "False", Sampling { keep_errors: false, ..coded() });
        check("TELEMETRY_KEEP_SLOWER_THAN", "1s 500ms", coded().keep_slower_than(Duration::from_millis(1500)));
        let rules = Sampling::new().method("a", Sample::Ratio(1.0)).method("b", Sample::Never);
        let rules = [rules.rules, coded().rules].concat();
        check("TELEMETRY_SAMPLING_RULES", "a=1,b=never", Sampling { rules, ..coded() });
    }

    #[test]
    fn a_variable_that_makes_no_sense_changes_nothing_and_is_named() {
        for wrong in ["0", "-1", "NaN", "inf", "abc"] {
            check_wrong("TELEMETRY_TRACES_PER_SECOND", wrong);
            check_wrong("TELEMETRY_FORCED_TRACES_PER_SECOND", wrong);
        }
        for wrong in ["0s", "500", "-1s", "abc"] {
            check_wrong("TELEMETRY_KEEP_SLOWER_THAN", wrong);
        }
        check_wrong("TELEMETRY_SAMPLING_RULES", "a=2");
    }

    #[test]
    #[should_panic(expected = "a ratio is from 0 to 1")]
    fn a_ratio_beyond_one_is_refused() {
        let _ = Sampling::new().method("a", Sample::Ratio(1.5));
    }
}
