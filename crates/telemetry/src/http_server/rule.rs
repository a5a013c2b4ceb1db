use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::request::Parts;

/// What the application decides of a request by its head.
#[derive(Clone)]
pub(super) struct Rule<T>(Arc<dyn Fn(&Parts) -> T + Send + Sync>);

// === impl Rule ===

impl<T: Default> Rule<T> {
    pub(super) fn new(rule: impl Fn(&Parts) -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// What the rule says; one that panics says nothing, for the request is worth more than its span.
    pub(super) fn ask(&self, request: &Parts) -> T {
        catch_unwind(AssertUnwindSafe(|| (self.0)(request))).unwrap_or_default()
    }
}
