//! Prometheus' HTTP API: instant queries, and the rules.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use crate::backend::Backend;
use crate::columns::printable;

/// A Prometheus.
#[derive(Clone, Debug)]
pub(crate) struct Prometheus(Backend);

/// One series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The series' labels, its name as `__name__`.
    pub(crate) labels: BTreeMap<String, String>,
    /// Its newest value.
    pub(crate) value: f64,
}

/// A rule, as Prometheus last evaluated it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Rule {
    /// Its name.
    pub(crate) name: String,
    /// `ok`, `err`, or `unknown` before the first time.
    pub(crate) health: String,
    /// Why it could not be evaluated.
    #[serde(default, rename = "lastError")]
    pub(crate) last_error: String,
}

/// An expression that Prometheus does not evaluate; it is there all the same.
#[derive(Debug, thiserror::Error)]
#[error("Prometheus refuses `{expression}`: {error}")]
pub(crate) struct Refused {
    expression: String,
    error: String,
}

/// An answer of `/api/v1/query`; a refusal has the same shape.
#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

// === impl Prometheus ===

impl Prometheus {
    pub(crate) fn new(backend: Backend) -> Self {
        Self(backend)
    }

    /// What an expression in PromQL comes to now.
    ///
    /// # Errors
    /// When nothing answers, or no Prometheus; with [`Refused`] when the expression is refused.
    pub(crate) async fn query(&self, expression: &str) -> anyhow::Result<Vec<Sample>> {
        let answered = self.0.get("/api/v1/query", &[("query", expression)]).await?;
        let answer: anyhow::Result<Answer> = answered.read();
        if let Ok(Answer { error: Some(error), .. }) = &answer {
            return Err(Refused { expression: expression.to_owned(), error: printable(error) }.into());
        }
        answered.accepted()?;
        let no_prometheus = || format!("{} is no Prometheus", self.0.base());
        let series = answer.with_context(no_prometheus)?.data.with_context(no_prometheus)?.result;
        series.into_iter().map(Series::read).collect()
    }

    /// The sum of an expression's series; 0 when there are none.
    ///
    /// # Errors
    /// As [`Prometheus::query`].
    pub(crate) async fn sum(&self, expression: &str) -> anyhow::Result<f64> {
        Ok(self.query(expression).await?.iter().map(|sample| sample.value).sum())
    }

    /// The rules that Prometheus evaluates.
    ///
    /// # Errors
    /// When nothing answers, or no Prometheus.
    pub(crate) async fn rules(&self) -> anyhow::Result<Vec<Rule>> {
        let mut answer = self.0.json("/api/v1/rules", &[]).await?;
        let groups = answer.pointer_mut("/data/groups").map(Value::take).unwrap_or_default();
        let groups: Vec<Group> =
            serde_json::from_value(groups).with_context(|| format!("{} is no Prometheus", self.0.base()))?;
        Ok(groups.into_iter().flat_map(|group| group.rules).collect())
    }
}

// === impl Series ===

impl Series {
    fn read(self) -> anyhow::Result<Sample> {
        let value = self.value.1.parse().with_context(|| format!("{} is no number", self.value.1))?;
        Ok(Sample { labels: self.metric, value })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;

    use super::*;
    use crate::backend::tests::{answering, serve};

    #[tokio::test]
    async fn what_is_no_prometheus_is_told_so() {
        for text in ["[]", "\"x\"", "{}", "{\"data\":[]}", "{\"data\":{\"groups\":7,\"result\":7}}", "<html>"] {
            let prometheus = Prometheus::new(answering(text).await);
            assert!(prometheus.rules().await.is_err(), "{text}");
            let error = prometheus.query("up").await.unwrap_err();
            assert!(error.to_string().ends_with(" is no Prometheus") && !error.is::<Refused>(), "{text}: {error:#}");
        }
    }

    #[tokio::test]
    async fn an_expression_that_is_refused_differs_from_a_failure() {
        let ask = async |status: StatusCode, text: &'static str| {
            let address = serve(Router::new().fallback(async move || (status, text))).await;
            Prometheus::new(Backend::new(&address).unwrap()).query("rate(").await.unwrap_err()
        };
        let refused = ask(StatusCode::BAD_REQUEST, r#"{"status":"error","error":"parse error"}"#).await;
        assert!(refused.is::<Refused>(), "{refused:#}");
        assert_eq!(refused.to_string(), "Prometheus refuses `rate(`: parse error");
        let failed = ask(StatusCode::BAD_GATEWAY, "<html>").await;
        assert!(!failed.is::<Refused>() && failed.to_string().ends_with("502 Bad Gateway: <html>"), "{failed:#}");
    }
}
