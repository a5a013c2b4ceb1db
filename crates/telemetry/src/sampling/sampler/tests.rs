use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

use super::super::SamplingReport;
use super::*;
use crate::environment::Environment;

const METHOD: &str = "shop.v1.Shop/Get";

fn sampler(sampling: &Sampling, variables: &[(&str, &str)]) -> Sampler {
    let environment: Environment = variables.iter().copied().collect();
    sampling.sampler(&environment)
}

fn standard(name: &str) -> Sampler {
    sampler(&Sampling::new(), &[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", "0")])
}

/// A parent whose decision is known, in this process or in another.
fn parent(is_remote: bool, is_sampled: bool) -> Context {
    let flags = TraceFlags::default().with_sampled(is_sampled);
    let state = TraceState::from_key_value([("vendor", "value")]).unwrap();
    let span = SpanContext::new(TraceId::from(1), SpanId::from(1), flags, is_remote, state);
    Context::new().with_remote_span_context(span)
}

fn decision(sampler: &Sampler, parent: &Context, id: u128) -> SamplingDecision {
    sampler.should_sample(Some(parent), TraceId::from(id), METHOD, &SpanKind::Server, &[], &[]).decision
}

fn decided(report: &SamplingReport, reason: &str) -> (u64, u64) {
    let decided = report.decisions.iter().find(|decided| decided.reason == reason).unwrap();
    (decided.sampled, decided.unsampled)
}

/// Of no parent, of a remote one (unsampled, sampled) and of a local one (unsampled, sampled).
#[track_caller]
fn check(sampler: &Sampler, expected: [bool; 5]) {
    let parents = [Context::new(), parent(true, false), parent(true, true), parent(false, false), parent(false, true)];
    let sampled = parents.map(|parent| decision(sampler, &parent, u128::MAX) == SamplingDecision::RecordAndSample);
    assert_eq!(sampled, expected, "{}", sampler.report().settings.sampler);
}

#[test]
fn standard_samplers_decide_by_their_parents_as_specified() {
    check(&standard("always_on"), [true; 5]);
    check(&standard("always_off"), [false; 5]);
    check(&standard("traceidratio"), [false; 5]);
    check(&standard("parentbased_always_on"), [true, false, true, false, true]);
    check(&standard("parentbased_always_off"), [false, false, true, false, true]);
    check(&standard("parentbased_traceidratio"), [false, false, true, false, true]);
}

#[test]
fn a_parents_tracestate_goes_on_whatever_is_decided() {
    for sampler in [standard("always_off"), standard("parentbased_always_on")] {
        let result =
            sampler.should_sample(Some(&parent(true, true)), TraceId::from(1), METHOD, &SpanKind::Server, &[], &[]);
        assert_eq!(result.trace_state.get("vendor"), Some("value"));
    }
}

#[test]
fn rules_decide_of_what_begins_here_and_nothing_else() {
    let never = Sampling::new().method("shop.v1.Shop/*", Sample::Never);
    check(&sampler(&never, &[]), [false, false, true, false, true]);
    let always = Sampling::new().method("shop.v1.Shop/*", Sample::Always);
    let off = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    check(&sampler(&always, &off), [true, false, true, false, true]);
    // Where the caller has no say, a call of his begins here. Below it, calls are whole also with such a sampler.
    check(&sampler(&never, &[("OTEL_TRACES_SAMPLER", "always_on")]), [false, false, false, false, true]);
}

#[test]
fn a_rule_goes_before_the_rate() {
    let sampling = Sampling::new().method(METHOD, Sample::Always).traces_per_second(0.001);
    let sampler = sampler(&sampling, &[]);
    for id in 1..100 {
        assert_eq!(decision(&sampler, &Context::new(), id), SamplingDecision::RecordAndSample);
    }
    assert_eq!(decided(&sampler.report(), &format!("rule {METHOD}")), (99, 0));
}

#[test]
fn the_rate_limits_what_the_standard_sampler_takes() {
    let ratio = [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")];
    let sampler = sampler(&Sampling::new().traces_per_second(0.001), &ratio);
    // Half of these ids have the bit set that decides of one half.
    for id in 0..100_u128 {
        decision(&sampler, &Context::new(), (id % 2) << 63 | 1);
    }
    let report = sampler.report();
    assert_eq!(decided(&report, "ratio"), (0, 50));
    assert_eq!(decided(&report, "rate"), (1, 49));
    assert_eq!(report.shares[0].method, METHOD);
}

#[test]
fn only_so_many_callers_are_believed_and_of_the_others_the_service_decides() {
    let off = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let sampler = sampler(&Sampling::new().forced_per_second(0.001), &off);
    let sampled = (1..=100).filter(|id| decision(&sampler, &parent(true, true), *id) != SamplingDecision::Drop);
    assert_eq!(sampled.count(), 1);
    let report = sampler.report();
    assert_eq!((report.refused, decided(&report, "parent"), decided(&report, "always_off")), (99, (1, 0), (0, 99)));
}

#[test]
fn a_caller_who_is_not_believed_cannot_choose_an_id_that_a_ratio_takes() {
    let ratio = [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.01")];
    let sampler = sampler(&Sampling::new().forced_per_second(0.001), &ratio);
    // Each of these ids is taken by the ratio, by the half that it looks at.
    let ids = (1..=2000_u128).map(|id| id << 64);
    let sampled = ids.filter(|id| decision(&sampler, &parent(true, true), *id) != SamplingDecision::Drop).count();
    assert!(sampled < 100, "{sampled} of 2000 at 1 %");
}

#[test]
fn what_is_unsampled_is_recorded_only_to_be_kept_and_never_for_never() {
    let keeping = Sampling::new().method("quiet", Sample::Never).method("rare", Sample::Ratio(0.0)).keep_errors();
    let keeping = sampler(&keeping, &[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]);
    let of = |sampler: &Sampler, name, parent: &Context| {
        sampler.should_sample(Some(parent), TraceId::from(1), name, &SpanKind::Server, &[], &[]).decision
    };
    let (none, remote) = (Context::new(), parent(true, false));
    assert_eq!(of(&keeping, METHOD, &none), SamplingDecision::RecordOnly);
    assert_eq!(of(&keeping, METHOD, &remote), SamplingDecision::RecordOnly);
    assert_eq!(of(&keeping, "rare", &none), SamplingDecision::RecordOnly);
    assert_eq!(of(&keeping, "quiet", &none), SamplingDecision::Drop);
    // A parent that records nothing, such as that of a rule `Never`.
    assert_eq!(of(&keeping, METHOD, &parent(false, false)), SamplingDecision::Drop);
    assert_eq!(of(&standard("parentbased_always_off"), METHOD, &none), SamplingDecision::Drop);
}

#[test]
fn a_report_is_the_same_as_json() {
    let sampler = sampler(&Sampling::new().method("a*", Sample::Ratio(0.5)).keep_errors(), &[]);
    decision(&sampler, &parent(true, true), 1);
    let report = sampler.report();
    let expected = serde_json::json!({
        "settings": report.settings,
        "decisions": [
            { "reason": "rule a*", "sampled": 0, "unsampled": 0 },
            { "reason": "parent", "sampled": 1, "unsampled": 0 },
            { "reason": "always_on", "sampled": 0, "unsampled": 0 },
        ],
        "refused": 0,
        "shares": [],
        "recorded": { "kept_failed": 0, "kept_slow": 0, "dropped": 0, "cut": 0 },
    });
    assert_eq!(serde_json::to_value(report).unwrap(), expected);
}
