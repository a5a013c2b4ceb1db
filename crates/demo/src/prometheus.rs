//! Prometheus' HTTP API: instant queries, and the rules.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::backend::Backend;

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
    /// When nothing answers, or the expression is refused; then with Prometheus' own words.
    pub(crate) async fn query(&self, expression: &str) -> anyhow::Result<Vec<Sample>> {
        let response = self.0.get("/api/v1/query", &[("query", expression)]).await?;
        let answer: Answer = response.json().await.with_context(|| format!("{} is no Prometheus", self.0.base()))?;
        if let Some(error) = answer.error {
            bail!("Prometheus refuses `{expression}`: {error}");
        }
        let series = answer.data.map(|data| data.result).unwrap_or_default();
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
        let groups: Vec<Group> = serde_json::from_value(answer["data"]["groups"].take())
            .with_context(|| format!("{} is no Prometheus", self.0.base()))?;
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
