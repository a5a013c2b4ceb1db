//! Finding traces by what their spans say.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::View;
use crate::otlp;

/// Which traces to find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// A service with a span in the trace.
    pub(crate) service: &'a str,
    /// An attribute and its value, of a span of that service.
    pub(crate) attribute: Option<(&'a str, &'a str)>,
    /// The earliest and the latest time at which that span may have started.
    pub(crate) between: (SystemTime, SystemTime),
    /// How many traces to find at most.
    pub(crate) limit: usize,
}

/// Who called whom, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The service that called.
    pub(crate) parent: String,
    /// The service that was called.
    pub(crate) child: String,
    /// How many calls were seen.
    pub(crate) calls: u64,
}

impl View {
    /// The ids of the traces that a search finds.
    ///
    /// # Errors
    /// When nothing answers, or the search is refused.
    pub(crate) async fn search(&self, search: &Search<'_>) -> anyhow::Result<Vec<String>> {
        let service = ("query.service_name", search.service);
        let limit = search.limit.to_string();
        let attributes = search.attributes();
        let (earliest, latest) = search.between;
        let times = [earliest, latest].map(|time| humantime::format_rfc3339_nanos(time).to_string());
        // Jaeger up to 2.13 knows these names only, later versions and the demo's collector know them too.
        let mut query = vec![service, ("query.start_time_min", &times[0]), ("query.start_time_max", &times[1])];
        query.push(("query.num_traces", &limit));
        query.extend(attributes.as_deref().map(|attributes| ("query.attributes", attributes)));
        let Some(answer) = self.0.find("/api/v3/traces", &query).await? else { return Ok(Vec::new()) };

        let traces = otlp::traces(&answer["result"]);
        let fits = traces.values().all(|spans| {
            let mut spans = spans.iter().filter(|span| span.service == search.service);
            search.attribute.is_none_or(|(key, value)| spans.any(|span| span.attribute(key) == Some(value)))
        });
        if fits { Ok(traces.into_keys().collect()) } else { self.search_by_tags(search).await }
    }

    /// The same, asked in Jaeger's older way: up to 2.13 it overlooks attributes when asked in the newer one, and from
    /// 2.21 on it knows the newer one only.
    async fn search_by_tags(&self, search: &Search<'_>) -> anyhow::Result<Vec<String>> {
        let micros = |time: SystemTime| since_epoch(time).as_micros().to_string();
        let (start, end) = (micros(search.between.0), micros(search.between.1));
        let (limit, tags) = (search.limit.to_string(), search.attributes().unwrap_or_default());
        let query = [("service", search.service), ("tags", &tags), ("start", &start), ("end", &end), ("limit", &limit)];
        let answer = self.0.json("/api/traces", &query).await?;
        let traces = answer["data"].as_array().into_iter().flatten();
        Ok(traces.filter_map(|trace| trace["traceID"].as_str()).map(|id| format!("{id:0>32}")).collect())
    }

    /// Who called whom in the last `lookback`.
    ///
    /// # Errors
    /// When nothing answers, or the view knows nothing of dependencies.
    pub(crate) async fn dependencies(&self, lookback: Duration) -> anyhow::Result<Vec<Dependency>> {
        let end = since_epoch(SystemTime::now()).as_millis().to_string();
        let lookback = lookback.as_millis().to_string();
        let answer = self.0.json("/api/dependencies", &[("endTs", &end), ("lookback", &lookback)]).await?;
        Ok(answer["data"].as_array().into_iter().flatten().map(Dependency::read).collect())
    }
}

impl Search<'_> {
    fn attributes(&self) -> Option<String> {
        self.attribute.map(|(key, value)| json!({ key: value }).to_string())
    }
}

impl Dependency {
    fn read(link: &Value) -> Self {
        let text = |key: &str| link[key].as_str().unwrap_or_default().to_owned();
        Self { parent: text("parent"), child: text("child"), calls: link["callCount"].as_u64().unwrap_or_default() }
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use axum::extract::Query;
    use axum::http::StatusCode;
    use axum::routing::get;
    use axum::{Json, Router};

    use super::*;
    use crate::backend::tests::serve;

    type Parameters = Query<HashMap<String, String>>;

    fn trace(id: &str, order: &str) -> Value {
        let attribute = |key: &str, value: &str| json!([{"key": key, "value": {"stringValue": value}}]);
        let span = json!({"traceId": id, "spanId": "1", "attributes": attribute("order.id", order)});
        let resource = json!({"attributes": attribute("service.name", "order")});
        json!({"result": {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}})
    }

    async fn search(routes: Router) -> Vec<String> {
        let view = View::new(&serve(routes).await).unwrap();
        let between = (UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(1));
        let search = Search { service: "order", attribute: Some(("order.id", "7")), between, limit: 1 };
        view.search(&search).await.unwrap()
    }

    /// Only what was asked for precisely is answered.
    async fn new_api(Query(asked): Parameters) -> Result<Json<Value>, StatusCode> {
        let precise = asked["query.attributes"] == r#"{"order.id":"7"}"#
            && asked["query.service_name"] == "order"
            && asked["query.start_time_min"] == "1970-01-01T00:00:00.000000000Z"
            && asked["query.start_time_max"] == "1970-01-01T00:00:01.000000000Z";
        if precise { Ok(Json(trace("a1", "7"))) } else { Err(StatusCode::BAD_REQUEST) }
    }

    async fn old_api(Query(asked): Parameters) -> Result<Json<Value>, StatusCode> {
        let precise = asked["tags"] == r#"{"order.id":"7"}"#
            && asked["service"] == "order"
            && asked["start"] == "0"
            && asked["end"] == "1000000";
        if precise { Ok(Json(json!({"data": [{"traceID": "b2"}]}))) } else { Err(StatusCode::BAD_REQUEST) }
    }

    #[tokio::test]
    async fn a_backend_that_knows_attributes_is_asked_once() {
        assert_eq!(search(Router::new().route("/api/v3/traces", get(new_api))).await, ["a1"]);
        assert!(search(Router::new()).await.is_empty(), "404 is how it says that there are none");
    }

    #[tokio::test]
    async fn one_that_overlooks_attributes_is_asked_in_the_older_way() {
        let any = get(async || Json(trace("c3", "another")));
        let routes = Router::new().route("/api/v3/traces", any).route("/api/traces", get(old_api));
        assert_eq!(search(routes).await, ["000000000000000000000000000000b2"]);
    }
}
