//! Loki's HTTP API: log lines by a query.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::backend::Backend;

/// The most lines that are asked for at a time.
const LIMIT: usize = 1000;

/// How far back is looked.
const SINCE: &str = "1h";

/// How often at most the next lines are asked for.
const PAGES: usize = 50;

/// Where it is asked.
const PATH: &str = "/loki/api/v1/query_range";

/// Whatever any service logged.
const ANY: &str = r#"{service_name=~".+"}"#;

/// A Loki.
#[derive(Clone, Debug)]
pub(crate) struct Loki(Backend);

// === impl Loki ===

impl Loki {
    pub(crate) fn new(backend: Backend) -> Self {
        Self(backend)
    }

    /// What a query in LogQL finds in the last hour: a list of streams, each with its labels and lines.
    ///
    /// # Errors
    /// When nothing answers, or no Loki, or the query is refused.
    pub(crate) async fn query(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.ask(query, ("since", SINCE)).await?;
        self.streams(&answer)
    }

    /// The log records of a trace, by whatever service.
    ///
    /// # Errors
    /// As [`Loki::query`].
    pub(crate) async fn of_trace(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        self.query(&of_trace(id)).await
    }

    /// The same as it was written: lines, labels and what else Loki keeps of them.
    ///
    /// # Errors
    /// As [`Loki::query`].
    pub(crate) async fn raw(&self, id: &str) -> anyhow::Result<String> {
        let answer = self.ask(&of_trace(id), ("since", SINCE)).await?;
        self.streams(&answer)?;
        Ok(answer)
    }

    /// Every log record since then, of whatever trace or of none, as it was written.
    ///
    /// # Errors
    /// As [`Loki::query`], and when there are too many.
    pub(crate) async fn raw_since(&self, start: SystemTime) -> anyhow::Result<String> {
        let mut start = start.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let mut whole = String::new();
        for _ in 0..PAGES {
            let page = self.ask(ANY, ("start", &start.to_string())).await?;
            let times = times(&self.streams(&page)?);
            whole += &page;
            match times.iter().max() {
                // Some of the last moment may stand on the next page.
                Some(last) if times.len() >= LIMIT => start = if *last > start { *last } else { start + 1 },
                _ => return Ok(whole),
            }
        }
        bail!("more than {} log records to look through", LIMIT * PAGES)
    }

    /// The oldest lines that a query finds from there on.
    async fn ask(&self, query: &str, from: (&str, &str)) -> anyhow::Result<String> {
        let limit = LIMIT.to_string();
        let parameters = [("query", query), from, ("limit", &limit), ("direction", "forward")];
        Ok(self.0.get(PATH, &parameters).await?.accepted()?.text)
    }

    fn streams(&self, answer: &str) -> anyhow::Result<Vec<Value>> {
        let no_loki = || format!("{} is no Loki", self.0.base());
        let mut answer: Value = serde_json::from_str(answer).with_context(no_loki)?;
        match answer.pointer_mut("/data/result").map(Value::take) {
            Some(Value::Array(streams)) => Ok(streams),
            _ => bail!(no_loki()),
        }
    }
}

/// When each line was written, in nanoseconds since 1970.
fn times(streams: &[Value]) -> Vec<u128> {
    let lines = streams.iter().filter_map(|stream| stream["values"].as_array()).flatten();
    lines.map(|line| line[0].as_str().and_then(|time| time.parse().ok()).unwrap_or_default()).collect()
}

fn of_trace(id: &str) -> String {
    format!(r#"{ANY} | trace_id="{id}""#)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use axum::extract::Query;
    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::json;

    use super::*;
    use crate::backend::tests::{answering, serve};

    #[tokio::test]
    async fn what_is_no_loki_is_told_so() {
        for text in ["[]", "\"x\"", "{}", "{\"data\":[]}", "{\"data\":{\"result\":7}}", "<html>"] {
            let loki = Loki::new(answering(text).await);
            for error in [loki.query(ANY).await.map(drop), loki.raw("a1").await.map(drop)] {
                let error = error.unwrap_err().to_string();
                assert!(error.ends_with(" is no Loki"), "{text}: {error}");
            }
        }
    }

    /// A Loki with a line at each of the nanoseconds up to `last`.
    async fn filled(last: usize) -> Loki {
        let page = async move |Query(asked): Query<HashMap<String, String>>| {
            let number = |name: &str| asked[name].parse::<usize>().unwrap();
            let lines = (number("start")..=last).take(number("limit"));
            let lines: Vec<_> = lines.map(|time| json!([time.to_string(), format!("<{time}>")])).collect();
            Json(json!({"data": {"result": [{"stream": {}, "values": lines}]}}))
        };
        Loki::new(Backend::new(&serve(Router::new().route(PATH, get(page))).await).unwrap())
    }

    #[tokio::test]
    async fn lines_are_asked_for_until_there_are_no_more() {
        let whole = filled(2_500).await.raw_since(UNIX_EPOCH + Duration::from_nanos(7)).await.unwrap();
        assert!(whole.contains("<7>") && whole.contains("<2500>") && !whole.contains("<6>"));
        let missing = (7..=2_500).find(|time| !whole.contains(&format!("<{time}>")));
        assert_eq!(missing, None);
        let too_many = filled(60_000).await.raw_since(UNIX_EPOCH).await.unwrap_err().to_string();
        assert_eq!(too_many, "more than 50000 log records to look through");
    }
}
