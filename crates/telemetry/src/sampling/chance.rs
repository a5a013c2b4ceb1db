//! A trace's luck: a number from 0 up to 2^63 that says whether a ratio takes it.

use std::hash::{BuildHasher, RandomState};

use opentelemetry::TraceId;

use super::Sample;

/// As many chances as there are.
pub(super) const CHANCES: f64 = (1_u64 << 63) as f64;

/// The chance that is in the trace id: the same in every process, as that of OpenTelemetry's `TraceIdRatioBased`.
pub(super) fn of(trace_id: TraceId) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = trace_id.to_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1
}

/// The chance of a trace whose id an unknown caller chose: he cannot choose this one.
pub(super) fn kept_from(key: &RandomState, trace_id: TraceId) -> u64 {
    key.hash_one(trace_id.to_bytes()) >> 1
}

/// Another chance of the same trace, which tells nothing of the first (the last steps of SplitMix64).
pub(super) fn second(chance: u64) -> u64 {
    let mixed = (chance ^ (chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) >> 1
}

// === impl Sample ===

impl Sample {
    /// Whether a trace of this chance is taken.
    pub(super) fn takes(self, chance: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Ratio(ratio) => ratio >= 1.0 || chance < (ratio * CHANCES) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanKind, TraceId};
    use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_ratio_takes_what_the_standard_sampler_takes(id: [u8; 16], ratio in 0.0_f64..=1.0) {
            let id = TraceId::from_bytes(id);
            let standard = Sampler::TraceIdRatioBased(ratio);
            let standard = standard.should_sample(None, id, "", &SpanKind::Server, &[], &[]).decision;
            prop_assert_eq!(Sample::Ratio(ratio).takes(of(id)), standard == SamplingDecision::RecordAndSample);
        }

        #[test]
        fn a_greater_ratio_takes_all_that_a_smaller_one_takes(id: [u8; 16], a in 0.0_f64..=1.0, b in 0.0_f64..=1.0) {
            let chance = of(TraceId::from_bytes(id));
            prop_assert!(Sample::Ratio(a.max(b)).takes(chance) || !Sample::Ratio(a.min(b)).takes(chance));
        }
    }

    #[test]
    fn a_second_chance_is_even_among_those_that_had_the_first() {
        let taken: Vec<_> = (0..100_000_u64).map(second).filter(|chance| Sample::Ratio(0.1).takes(*chance)).collect();
        let twice = taken.iter().filter(|chance| Sample::Ratio(0.5).takes(second(**chance))).count();
        assert!((9_500..10_500).contains(&taken.len()), "{}", taken.len());
        assert!((4_600..5_400).contains(&twice), "{twice}");
    }
}
