use std::time::Duration;

use serde::{Serialize, Serializer};

use super::rules::Rule;
use super::standard::Standard;
use super::{Sample, Sampling};
use crate::environment::Environment;

/// The variables that have a say.
const VARIABLES: [&str; 8] = [
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "TELEMETRY_SAMPLING_RULES",
    "TELEMETRY_TRACES_PER_SECOND",
    "TELEMETRY_FORCED_TRACES_PER_SECOND",
    "TELEMETRY_KEEP_ERRORS",
    "TELEMETRY_KEEP_SLOWER_THAN",
];

/// What decides of a service's traces, once the environment has had its say over the code: see
/// [`Sampling`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SamplingSettings {
    /// The standard sampler, by the name that `OTEL_TRACES_SAMPLER` has for it.
    pub sampler: &'static str,
    /// What that takes of the traces that begin here.
    pub root: Sample,
    /// The rules that go before it, in their order.
    pub rules: Vec<SamplingRule>,
    /// How many traces begin in a second at most; `None` for any number.
    pub traces_per_second: Option<f64>,
    /// How many callers a second are believed who say that their trace is sampled; `None` for all.
    pub forced_per_second: Option<f64>,
    /// Whether unsampled calls that fail are kept.
    pub keep_errors: bool,
    /// How long an unsampled call takes that is kept for it; `None` for no call. In JSON it reads as
    /// `TELEMETRY_KEEP_SLOWER_THAN` does: `500ms`.
    #[serde(serialize_with = "as_text")]
    pub keep_slower_than: Option<Duration>,
    /// The variables that are set. One that makes no sense is warned of at the start and has changed nothing.
    pub variables: Vec<&'static str>,
}

/// A rule, as [`Sampling::method`](crate::Sampling::method) or `TELEMETRY_SAMPLING_RULES` gives it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SamplingRule {
    /// The method, the route or the name of a span; `*` stands for any characters.
    pub name: String,
    /// Which of these traces are sampled.
    pub sample: Sample,
}

/// The variables of sampling that are set.
pub(super) fn variables(environment: &Environment) -> Vec<&'static str> {
    VARIABLES.into_iter().filter(|name| environment.get(name).is_some()).collect()
}

fn as_text<S: Serializer>(limit: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    limit.map(|limit| humantime::format_duration(limit).to_string()).serialize(serializer)
}

// === impl SamplingSettings ===

impl SamplingSettings {
    pub(super) fn new(standard: Standard, sampling: &Sampling, variables: Vec<&'static str>) -> Self {
        let rule = |rule: &Rule| SamplingRule { name: rule.pattern.as_str().to_owned(), sample: rule.sample };
        Self {
            sampler: standard.name(),
            root: standard.root,
            rules: sampling.rules.iter().map(rule).collect(),
            traces_per_second: sampling.traces_per_second,
            forced_per_second: sampling.forced_per_second,
            keep_errors: sampling.keep_errors,
            keep_slower_than: sampling.keep_slower_than,
            variables,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(sampling: &Sampling, variables: &[(&str, &str)], expected: serde_json::Value) {
        let environment = variables.iter().copied().collect();
        let report = sampling.sampler(&environment).report();
        assert_eq!(serde_json::to_value(report.settings).unwrap(), expected);
    }

    #[test]
    fn unless_said_all_traces_are_taken() {
        let expected = json!({
            "sampler": "parentbased_always_on", "root": "always", "rules": [],
            "traces_per_second": null, "forced_per_second": null,
            "keep_errors": false, "keep_slower_than": null, "variables": [],
        });
        check(&Sampling::new(), &[], expected);
    }

    #[test]
    fn a_variable_is_seen_by_its_effect_and_named() {
        let coded = Sampling::new().method("coded", Sample::Never).traces_per_second(7.0).forced_per_second(2.0);
        let variables = [
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("TELEMETRY_SAMPLING_RULES", "a.B/*=0.5,c=always"),
            ("TELEMETRY_TRACES_PER_SECOND", "20"),
            ("TELEMETRY_KEEP_ERRORS", "true"),
            ("TELEMETRY_KEEP_SLOWER_THAN", "1500ms"),
        ];
        let expected = json!({
            "sampler": "parentbased_traceidratio", "root": {"ratio": 0.25},
            "rules": [
                {"name": "a.B/*", "sample": {"ratio": 0.5}},
                {"name": "c", "sample": "always"},
                {"name": "coded", "sample": "never"},
            ],
            "traces_per_second": 20.0, "forced_per_second": 2.0,
            "keep_errors": true, "keep_slower_than": "1s 500ms",
            "variables": variables.map(|(name, _)| name),
        });
        check(&coded, &variables, expected);
    }

    #[test]
    fn a_disabled_service_decides_nothing_whatever_else_is_said() {
        let variables = [("OTEL_SDK_DISABLED", "true"), ("TELEMETRY_KEEP_ERRORS", "true")];
        let expected = json!({
            "sampler": "always_off", "root": "never", "rules": [],
            "traces_per_second": null, "forced_per_second": null,
            "keep_errors": false, "keep_slower_than": null, "variables": variables.map(|(name, _)| name),
        });
        check(&Sampling::new().traces_per_second(7.0), &variables, expected);
    }
}
