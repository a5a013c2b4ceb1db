use super::*;

#[track_caller]
fn check(name: &str, value: &str, expected: (Duration, Temporality), is_warned: bool) {
    let environment: Environment = [(name, value)].into_iter().collect();
    assert_eq!((interval(&environment), temporality(&environment)), expected, "{name}={value}");
    let warnings = environment.take_warnings();
    assert_eq!(warnings.len(), usize::from(is_warned), "{name}={value}: {warnings:?}");
    assert!(warnings.iter().all(|warning| warning.starts_with(&format!("{name} "))), "{warnings:?}");
}

const MINUTE: Duration = Duration::from_secs(60);
const DEFAULT: (Duration, Temporality) = (MINUTE, Temporality::Cumulative);

#[test]
fn settings_are_read_or_warned_of_once_by_name() {
    const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
    const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    check(INTERVAL, "", DEFAULT, false);
    check(INTERVAL, "250", (Duration::from_millis(250), Temporality::Cumulative), false);
    check(TEMPORALITY, "Delta", (MINUTE, Temporality::Delta), false);
    check(TEMPORALITY, "LOWMEMORY", (MINUTE, Temporality::LowMemory), false);
    for bad in ["0", "-1", "NaN", "abc", "1.5"] {
        check(INTERVAL, bad, DEFAULT, true);
        check(TEMPORALITY, bad, DEFAULT, true);
    }
}
