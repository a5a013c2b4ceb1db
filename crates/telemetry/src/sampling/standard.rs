use super::Sample;
use crate::environment::Environment;

/// One of OpenTelemetry's samplers, by `OTEL_TRACES_SAMPLER` (OpenTelemetry specification, "Environment Variable
/// Specification").
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standard {
    /// Whether the caller's decision goes before.
    pub(super) parent_based: bool,
    /// What is decided of a trace that begins here. `Never` is `always_off`.
    pub(super) root: Sample,
}

// === impl Standard ===

impl Standard {
    pub(super) fn from_environment(environment: &Environment) -> Self {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        let (parent_based, root) = match environment.get(NAME).unwrap_or_default().to_ascii_lowercase().as_str() {
            "always_on" => (false, Sample::Always),
            "always_off" => (false, Sample::Never),
            "traceidratio" => (false, ratio(environment)),
            "" | "parentbased_always_on" => (true, Sample::Always),
            "parentbased_always_off" => (true, Sample::Never),
            "parentbased_traceidratio" => (true, ratio(environment)),
            _ => {
                environment.warn(NAME, "names no known sampler, taken as `parentbased_always_on`");
                (true, Sample::Always)
            }
        };
        Self { parent_based, root }
    }

    /// The name that `OTEL_TRACES_SAMPLER` has for it.
    pub(super) fn name(self) -> &'static str {
        match (self.parent_based, self.root) {
            (false, Sample::Always) => "always_on",
            (false, Sample::Never) => "always_off",
            (false, Sample::Ratio(_)) => "traceidratio",
            (true, Sample::Always) => "parentbased_always_on",
            (true, Sample::Never) => "parentbased_always_off",
            (true, Sample::Ratio(_)) => "parentbased_traceidratio",
        }
    }
}

fn ratio(environment: &Environment) -> Sample {
    const NAME: &str = "OTEL_TRACES_SAMPLER_ARG";
    let ratio = environment.get(NAME).map(|text| text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)));
    if ratio == Some(None) {
        environment.warn(NAME, "is not a number from 0 to 1, taken as 1");
    }
    Sample::Ratio(ratio.flatten().unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sampler: &str, argument: &str, parent_based: bool, root: Sample, warned: Option<&str>) {
        let variables = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)];
        let environment = variables.into_iter().collect();
        let expected = Standard { parent_based, root };
        assert_eq!(Standard::from_environment(&environment), expected, "{sampler} {argument}");
        let warnings = environment.take_warnings();
        assert_eq!(warnings.len(), usize::from(warned.is_some()), "{sampler} {argument}: {warnings:?}");
        let named = warnings.iter().all(|warning| warning.starts_with(&format!("{} ", warned.unwrap_or_default())));
        assert!(named, "{warnings:?}");
    }

    #[test]
    fn samplers_are_named_in_any_case_and_an_unknown_one_is_the_default() {
        check("", "", true, Sample::Always, None);
        check("Always_On", "", false, Sample::Always, None);
        check("ALWAYS_OFF", "", false, Sample::Never, None);
        check("TraceIdRatio", " 0.25 ", false, Sample::Ratio(0.25), None);
        check("parentBased_Always_On", "", true, Sample::Always, None);
        check("parentbased_always_off", "", true, Sample::Never, None);
        check("parentbased_traceidratio", "0", true, Sample::Ratio(0.0), None);
        for unknown in ["jaeger_remote", "parentbased_jaeger_remote", "xray", "always-on", "1"] {
            check(unknown, "0.5", true, Sample::Always, Some("OTEL_TRACES_SAMPLER"));
        }
    }

    #[test]
    fn a_ratio_that_is_none_is_one() {
        check("traceidratio", "", false, Sample::Ratio(1.0), None);
        for wrong in ["NaN", "-0.1", "-1", "1.5", "inf", "abc", "10%"] {
            check("parentbased_traceidratio", wrong, true, Sample::Ratio(1.0), Some("OTEL_TRACES_SAMPLER_ARG"));
        }
    }

    #[test]
    fn a_sampler_is_told_by_its_name() {
        for name in ["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_traceidratio"] {
            let environment = [("OTEL_TRACES_SAMPLER", name)].into_iter().collect();
            assert_eq!(Standard::from_environment(&environment).name(), name);
        }
    }
}
