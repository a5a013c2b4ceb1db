use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::request::Parts;

/// What the application decides of a request by its head.
#[derive(Clone)]
pub(crate) struct Rule<T>(Arc<dyn Fn(&Parts) -> T + Send + Sync>);

// === impl Rule ===

impl<T: Default> Rule<T> {
    pub(crate) fn new(rule: impl Fn(&Parts) -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// What the rule says; one that panics says nothing, for the request is worth more than its span.
    pub(crate) fn ask(&self, request: &Parts) -> T {
        catch_unwind(AssertUnwindSafe(|| (self.0)(request))).unwrap_or_default()
    }
}

impl<T> fmt::Debug for Rule<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rule")
    }
}
