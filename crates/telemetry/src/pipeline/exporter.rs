use crate::environment::Environment;

/// What a signal's `OTEL_*_EXPORTER` chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exporter {
    Otlp,
    Console,
    None,
}

/// The exporter that the variable `name` chooses.
pub(super) fn exporter(environment: &Environment, name: &str) -> Exporter {
    match environment.get(name).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "otlp" => Exporter::Otlp,
        "console" => Exporter::Console,
        "none" => Exporter::None,
        _ => {
            environment.warn(name, "is none of `otlp`, `console` and `none`, taken as `otlp`");
            Exporter::Otlp
        }
    }
}
