//! The expressions in PromQL that stand in the dashboards of compose/grafana.

use std::fmt;

use anyhow::Context;
use serde_json::Value;

use crate::json::{list, text};

/// The dashboards, by their file's name.
const DASHBOARDS: [(&str, &str); 5] = [
    ("collector.json", include_str!("../../../../../compose/grafana/dashboards/collector.json")),
    ("service-graph.json", include_str!("../../../../../compose/grafana/dashboards/service-graph.json")),
    ("shop.json", include_str!("../../../../../compose/grafana/dashboards/shop.json")),
    ("telemetry.json", include_str!("../../../../../compose/grafana/dashboards/telemetry.json")),
    ("trace.json", include_str!("../../../../../compose/grafana/dashboards/trace.json")),
];

/// What Grafana puts in for the variables it knows itself.
const BUILT_IN: [(&str, &str); 3] = [("__rate_interval", "1m"), ("__interval", "15s"), ("__range", "5m")];

/// What it puts in for the choice of everything.
const EVERYTHING: &str = ".*";

/// An expression, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    dashboard: String,
    panel: String,
    written: String,
    /// The expression without variables.
    pub(super) runnable: String,
}

/// Every expression for Prometheus: of panels, also those in rows, and of variables.
pub(super) fn expressions() -> anyhow::Result<Vec<Expression>> {
    let mut all = Vec::new();
    for (file, text) in DASHBOARDS {
        let dashboard: Value = serde_json::from_str(text).with_context(|| format!("{file} is not JSON"))?;
        all.extend(of_dashboard(&dashboard));
    }
    Ok(all)
}

fn of_dashboard(dashboard: &Value) -> Vec<Expression> {
    let variables = list(&dashboard["templating"]["list"]);
    let names: Vec<_> = variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
    let asked = variables.iter().filter(|variable| is_prometheus(&variable["datasource"]));
    let of_variables = asked.filter_map(|variable| {
        let query = &variable["query"];
        let query = query.as_str().or_else(|| query["query"].as_str())?;
        Some((format!("variable {}", text(&variable["name"])), selected(query).to_owned()))
    });
    let of_panels = panels(&dashboard["panels"]).into_iter().flat_map(|panel| {
        let here = |target: &&Value| is_prometheus(target.get("datasource").unwrap_or(&panel["datasource"]));
        let written = list(&panel["targets"]).iter().filter(here).filter_map(|target| target["expr"].as_str());
        written.map(|expression| (text(&panel["title"]), expression.to_owned())).collect::<Vec<_>>()
    });
    let placed = of_variables.chain(of_panels).map(|(panel, written)| Expression {
        dashboard: text(&dashboard["title"]),
        panel,
        runnable: substituted(&written, &names),
        written,
    });
    placed.collect()
}

/// All panels, those of a closed row too.
fn panels(panels: &Value) -> Vec<&Value> {
    list(panels).iter().flat_map(|panel| [vec![panel], self::panels(&panel["panels"])].concat()).collect()
}

fn is_prometheus(source: &Value) -> bool {
    source["type"] == "prometheus"
}

/// What a variable's values are taken from: the series in `label_values(series, label)`.
fn selected(query: &str) -> &str {
    let of_label = query.strip_prefix("label_values(").and_then(|rest| rest.rsplit_once(','));
    of_label.map_or(query, |(series, _)| series)
}

/// The expression with something in place of each variable, written `$name`, `${name}` or `${name:format}`.
fn substituted(expression: &str, variables: &[&str]) -> String {
    let mut done = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once('$') {
        done.push_str(before);
        let (name, behind) = variable(after);
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        match built_in.or_else(|| variables.contains(&name).then_some(EVERYTHING)) {
            Some(value) => {
                done.push_str(value);
                rest = behind;
            }
            // The end of a regular expression, or nothing that Grafana would know either.
            None => {
                done.push('$');
                rest = after;
            }
        }
    }
    done + rest
}

/// The name at the beginning of `text`, and what comes after it.
fn variable(text: &str) -> (&str, &str) {
    if let Some((inside, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (inside.split(':').next().unwrap_or(inside), after);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

// === impl Expression ===

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dashboard, panel, written, .. } = self;
        write!(f, "{dashboard} / {panel}: {written}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn every_dashboard_of_compose_is_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../compose/grafana/dashboards");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let known = DASHBOARDS.map(|(file, _)| file.to_owned());
        assert_eq!(files.collect::<BTreeSet<_>>(), BTreeSet::from(known));
    }

    #[test]
    fn every_expression_is_found_and_has_no_variable_left() {
        let expressions = expressions().unwrap();
        let written: usize = DASHBOARDS.iter().map(|(_, text)| text.matches("\"expr\":").count()).sum();
        assert!(expressions.len() > written / 2, "{} of {written}", expressions.len());
        for expression in &expressions {
            let left = expression.runnable.match_indices('$').find(|(at, _)| {
                expression.runnable[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '{')
            });
            assert!(left.is_none(), "{expression}\n{}", expression.runnable);
        }
    }

    #[test]
    fn variables_are_replaced_however_they_are_written() {
        let replaced = |expression: &str| substituted(expression, &["service", "method"]);
        assert_eq!(
            replaced(r#"rate(c{s=~"$service", m=~"${method:regex}"}[$__rate_interval])"#),
            r#"rate(c{s=~".*", m=~".*"}[1m])"#
        );
        assert_eq!(
            replaced(r#"increase(c{name=~"a$"}[$__range]) / ${__interval}"#),
            r#"increase(c{name=~"a$"}[5m]) / 15s"#
        );
        assert_eq!(replaced("$services + $service_name"), "$services + $service_name");
    }

    #[test]
    fn expressions_are_found_in_rows_and_variables_and_only_for_prometheus() {
        let source = |kind: &str| json!({"type": kind, "uid": kind});
        let query = json!({"query": "label_values(up{a=\"b\", c=\"d\"}, job)"});
        let service = json!({"name": "service", "datasource": source("prometheus"), "query": query});
        let dashboard = json!({
            "title": "Shop",
            "templating": {"list": [service]},
            "panels": [
                {"title": "Logs", "datasource": source("loki"), "targets": [{"expr": "{a=\"b\"}"}]},
                {"title": "Row", "panels": [
                    {"title": "Rate", "datasource": source("prometheus"), "targets": [
                        {"expr": "rate(a{s=~\"$service\"}[$__rate_interval])"},
                        {"expr": "b", "datasource": source("tempo")},
                    ]},
                ]},
            ],
        });
        let found = of_dashboard(&dashboard);
        let found: Vec<_> = found.iter().map(|found| (found.to_string(), found.runnable.as_str())).collect();
        let variable = "Shop / variable service: up{a=\"b\", c=\"d\"}".to_owned();
        let rate = "Shop / Rate: rate(a{s=~\"$service\"}[$__rate_interval])".to_owned();
        assert_eq!(found, [(variable, "up{a=\"b\", c=\"d\"}"), (rate, "rate(a{s=~\".*\"}[1m])")]);
    }
}
