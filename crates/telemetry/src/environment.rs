use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::lock::lock;

/// The environment variables that decide what is emitted and where to: a value, so that tests and several services in
/// one process each have their own.
///
/// A variable that is empty counts as unset, and one that cannot be read is ignored with a warning that names it
/// (OpenTelemetry specification, "Environment Variable Specification").
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    warnings: Arc<Mutex<Vec<String>>>,
}

// === impl Environment ===

impl Environment {
    /// The variables of this process. Only `main` should ask for them.
    pub fn from_process() -> Self {
        Self::from_system(std::env::vars_os())
    }

    /// Those of a system whose texts may be no Unicode. That of one of ours is told of.
    fn from_system(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string()));
        let (good, bad): (Vec<_>, Vec<_>) =
            variables.into_iter().filter_map(named).partition(|(_, value)| value.is_ok());
        let environment: Self = good.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))).collect();
        for (name, _) in bad.iter().filter(|(name, _)| is_ours(name)) {
            environment.warn(name, "is not UTF-8, ignored");
        }
        environment
    }

    /// The variable's value, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether the variable says `true`, in any case.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        match self.get(name) {
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if !value.eq_ignore_ascii_case("false") => {
                self.warn(name, "is neither `true` nor `false`, taken as `false`");
                false
            }
            _ => false,
        }
    }

    /// The variable as a whole number of at least `least`, or `default`.
    pub(crate) fn number(&self, name: &str, least: u64, default: u64) -> u64 {
        let Some(text) = self.get(name) else { return default };
        match text.parse() {
            Ok(number) if number >= least => number,
            _ => {
                self.warn(name, &format!("is not a whole number of at least {least}, taken as {default}"));
                default
            }
        }
    }

    /// The variable as a number of milliseconds of at least 1, or `default`.
    pub(crate) fn milliseconds(&self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(name, 1, default))
    }

    /// The variable as a number of milliseconds that something may take, or `default`; 0 is no limit.
    pub(crate) fn limit(&self, name: &str, default: u64) -> Option<Duration> {
        let milliseconds = self.number(name, 0, default);
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }

    /// `OTEL_RESOURCE_ATTRIBUTES`, percent-decoded; a malformed list is dropped whole.
    pub(crate) fn resource_attributes(&self) -> Vec<(String, String)> {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        self.pairs(NAME).unwrap_or_else(|| {
            self.warn(NAME, "is not a list of key=value pairs, ignored");
            Vec::new()
        })
    }

    /// A `key=value,key=value` list, percent-decoded; `None` if any part of it is malformed.
    pub(crate) fn pairs(&self, name: &str) -> Option<Vec<(String, String)>> {
        let decode = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(|text| text.into_owned());
        let pair = |text: &str| {
            let (key, value) = text.split_once('=')?;
            Some((decode(key).filter(|key| !key.is_empty())?, decode(value)?))
        };
        self.get(name).unwrap_or_default().split(',').filter(|text| !text.trim().is_empty()).map(pair).collect()
    }

    /// Notes something to tell once logs have somewhere to go. Never the value: it may hold a secret.
    pub(crate) fn warn(&self, name: &str, what: &str) {
        let warning = format!("{name} {what}");
        let mut warnings = lock(&self.warnings);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// Everything noted so far.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.warnings))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { variables, warnings: Arc::default() }
    }
}

/// Whether a variable may mean something here.
fn is_ours(name: &str) -> bool {
    name.starts_with("OTEL_") || name.starts_with("TELEMETRY_") || name == "RUST_LOG"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_no_unicode_is_ignored_with_a_warning_if_it_is_ours() {
        use std::os::unix::ffi::OsStringExt;

        let bytes = |value: &[u8]| OsString::from_vec(value.to_vec());
        let variables: [(&str, &[u8]); 4] =
            [("OTEL_SERVICE_NAME", b"\xff"), ("TELEMETRY_SPOOL_DIR", b"/\xff"), ("PATH", b"\xff"), ("HOME", b"/")];
        let environment = Environment::from_system(variables.map(|(name, value)| (name.into(), bytes(value))));
        assert_eq!((environment.get("OTEL_SERVICE_NAME"), environment.get("HOME")), (None, Some("/")));
        let told = ["OTEL_SERVICE_NAME is not UTF-8, ignored", "TELEMETRY_SPOOL_DIR is not UTF-8, ignored"];
        assert_eq!(environment.take_warnings(), told);
    }

    fn one(name: &str, value: &str) -> Environment {
        [(name, value)].into_iter().collect()
    }

    #[test]
    fn numbers_that_make_no_sense_are_ignored_with_a_warning() {
        for bad in ["0", "-1", "NaN", "abc", "1.5"] {
            let environment = one("OTEL_BSP_MAX_QUEUE_SIZE", bad);
            assert_eq!(environment.number("OTEL_BSP_MAX_QUEUE_SIZE", 1, 2048), 2048, "{bad}");
            assert!(environment.take_warnings()[0].starts_with("OTEL_BSP_MAX_QUEUE_SIZE "), "{bad}");
        }
        let unset = one("OTEL_BSP_MAX_QUEUE_SIZE", " ");
        assert_eq!(unset.number("OTEL_BSP_MAX_QUEUE_SIZE", 1, 2048), 2048);
        assert!(unset.take_warnings().is_empty());
    }

    #[test]
    fn resource_attributes_are_percent_decoded_or_dropped_whole() {
        let good = one("OTEL_RESOURCE_ATTRIBUTES", "a=x%2Cy, b=2");
        let pairs = [("a".to_owned(), "x,y".to_owned()), ("b".to_owned(), "2".to_owned())];
        assert_eq!(good.resource_attributes(), pairs);

        let bad = one("OTEL_RESOURCE_ATTRIBUTES", "a=1,b");
        assert!(bad.resource_attributes().is_empty());
        assert_eq!(bad.take_warnings().len(), 1);
    }
}
