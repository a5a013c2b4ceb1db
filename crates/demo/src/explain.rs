//! `demo explain`: one promise about traces, step by step, on a running system.
//!
//! A walk tells what it does, does it, and shows what came of it: every id and figure on the screen was just observed.

use std::process::ExitCode;

use anyhow::{Context, anyhow};

use crate::arguments::{BackendArguments, ExplainArguments, Topic};
use crate::backends::Backends;
use crate::shop::Gateway;

mod walk;
mod orders;
mod propagation;
mod redaction;
mod sampling;
mod queue;

/// The running system that is shown.
struct Scene {
    gateway: Gateway,
    backends: Backends,
    /// Where the view's pages are, for a browser.
    page: String,
}

/// Walks through a topic; exits with 1 when something was not as told.
///
/// # Errors
/// When the system does not answer, or a backend that the topic needs is not given.
pub(crate) async fn explain(arguments: ExplainArguments) -> anyhow::Result<ExitCode> {
    let scene = Scene::new(&arguments.backends)?;
    let as_told = match arguments.topic {
        Topic::Propagation => propagation::walk(&scene).await,
        Topic::Redaction => redaction::walk(&scene).await,
        Topic::Sampling => sampling::walk(&scene).await,
        Topic::Queue => queue::walk(&scene).await,
    };
    Ok(if as_told? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

// === impl Scene ===

impl Scene {
    fn new(arguments: &BackendArguments) -> anyhow::Result<Self> {
        let services = &arguments.services;
        Ok(Self {
            gateway: Gateway::new(&services.gateway.gateway)?,
            backends: Backends::new(arguments)?,
            page: published(&services.view.view),
        })
    }

    /// How to look at a trace.
    async fn how_to_see(&self, trace_id: &str) -> String {
        let command = format!("demo trace {trace_id}");
        // The demo's own collector has no page; it is told by the log records that it keeps.
        if self.backends.view.keeps_logs().await { command } else { format!("{}/trace/{trace_id}", self.page) }
    }
}

/// A backend that the topic cannot do without.
fn needed<'a, T>(backend: &'a Option<T>, why: &str, flag: &str, variable: &str) -> anyhow::Result<&'a T> {
    let missing = || anyhow!("{why}: say where it is with {flag} URL or {variable}=URL");
    backend.as_ref().with_context(|| missing().to_string())
}

/// The address for a browser: a container's bare name is known inside compose only, which publishes each port on 127.0.0.1
/// under its own number.
fn published(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.split_once(':') {
        Some((host, port)) if !host.contains(['.', '[']) => format!("{scheme}://127.0.0.1:{port}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_name_becomes_the_address_that_compose_publishes() {
        assert_eq!(published("http://jaeger:16686"), "http://127.0.0.1:16686");
        for others in
            ["http://127.0.0.1:16686", "https://jaeger.example.com:443", "http://[::1]:16686", "http://jaeger"]
        {
            assert_eq!(published(others), others);
        }
    }

    #[test]
    fn what_a_topic_needs_is_named_with_its_flag_and_its_variable() {
        let said = needed::<()>(&None, "this needs Prometheus", "--prometheus", "DEMO_PROMETHEUS").unwrap_err();
        let expected = "this needs Prometheus: say where it is with --prometheus URL or DEMO_PROMETHEUS=URL";
        assert_eq!(said.to_string(), expected);
    }
}
