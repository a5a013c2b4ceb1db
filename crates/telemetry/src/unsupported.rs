use crate::environment::Environment;

/// Variables of the specification that mean nothing here, the value with which that is no matter, and what holds instead.
const UNSUPPORTED: [(&str, &str, &str); 5] = [
    ("OTEL_CONFIG_FILE", "", "is not supported: the file is not read, the other variables hold"),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", "", "is not supported: the file is not read, the other variables hold"),
    ("OTEL_ENTITIES", "", "is not supported, ignored"),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "always_off", "has no effect, there are no exemplars: taken as `always_off`"),
    (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "explicit_bucket_histogram",
        "is not supported, taken as `explicit_bucket_histogram`",
    ),
];

/// Warns of those that are set.
pub(crate) fn warn(environment: &Environment) {
    for (name, only, instead) in UNSUPPORTED {
        if environment.get(name).is_some_and(|value| !value.eq_ignore_ascii_case(only)) {
            environment.warn(name, instead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, is_warned: bool) {
        let environment: Environment = [(name, value)].into_iter().collect();
        warn(&environment);
        let warnings = environment.take_warnings();
        assert_eq!(warnings.len(), usize::from(is_warned), "{name}={value}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.starts_with(&format!("{name} "))), "{warnings:?}");
    }

    #[test]
    fn what_means_nothing_here_is_told_of_once_by_name() {
        for (name, only, _) in UNSUPPORTED {
            check(name, "", false);
            check(name, only, false);
            check(name, &only.to_ascii_uppercase(), false);
            check(name, "something", true);
        }
    }
}
