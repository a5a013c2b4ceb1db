//! What dashboards and alerts ask about the services' telemetry is what `/metrics` of an admin port prints: the names
//! and the labels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::compose::document::{entries, items, text, yaml};
use crate::compose::{Faults, alerts, assert_sound, dashboards, datasources, read, scraping};
use crate::process::Servers;
use crate::shop::{PATIENCE, hold};

/// How often it is looked whether something was exported.
const INTERVAL: Duration = Duration::from_millis(20);

/// The page that shows all of it.
const PAGE: &str = "grafana/dashboards/telemetry.json";

/// Series by name, each with its labels.
type Series = BTreeMap<String, BTreeSet<String>>;

/// The series of a text as Prometheus reads it.
fn series(printed: &str) -> Series {
    let mut series = Series::new();
    for line in printed.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("{line:?} has no labels"));
        series.entry(name.to_owned()).or_default().extend(labels(rest).map(str::to_owned));
    }
    series
}

/// The names before the quoted values, of a series or of a selector behind its `{`.
fn labels(rest: &str) -> impl Iterator<Item = &str> {
    // Every other piece is between quotes; no value here has one.
    let between = rest.split('"').step_by(2).take_while(|piece| !piece.starts_with('}'));
    between.map(|piece| piece.trim_matches([',', ' ', '=', '!', '~'])).filter(|label| !label.is_empty())
}

/// What an expression selects of the services' job, each with its labels.
fn selected(expression: &str) -> Vec<(&str, Vec<&str>)> {
    let selectors = expression.match_indices('{').map(|(at, _)| {
        let before = &expression[..at];
        let start =
            before.rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').map_or(0, |at| at + 1);
        (&before[start..], &expression[at + 1..])
    });
    let of_services = selectors.filter(|(_, rest)| rest.starts_with(&format!("job=\"{}\"", scraping::JOB)));
    of_services.map(|(name, rest)| (name, labels(rest).collect())).collect()
}

/// The labels that an expression puts its results together by.
fn grouped(expression: &str) -> impl Iterator<Item = &str> {
    let lists = expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
    lists.flat_map(|list| list.split(',').map(str::trim))
}

/// What an expression asks of the services that they do not print; `told` are the labels that Prometheus adds.
fn strangers(expression: &str, printed: &Series, told: &BTreeSet<String>) -> Faults {
    let mut faults = Faults::new();
    let mut known = BTreeSet::new();
    for (name, labels) in selected(expression) {
        let Some(printed) = printed.get(name) else {
            faults.push(format!("nobody prints {name}"));
            continue;
        };
        known.extend(printed.union(told).map(String::as_str));
        let unknown = labels.iter().filter(|label| !printed.contains(**label) && !told.contains(**label));
        faults.extend(unknown.map(|label| format!("{name} has no label {label}")));
    }
    if !known.is_empty() {
        let unknown = grouped(expression).filter(|label| !known.contains(label));
        faults.extend(unknown.map(|label| format!("nothing has the label {label}")));
    }
    faults
}

/// What a service prints that has a spool and has tried to export.
async fn printed() -> String {
    let (scratch, nobody) = (tempfile::tempdir().unwrap(), hold((Ipv4Addr::LOCALHOST, 0).into()).await);
    let settings = |_: &str| {
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", nobody.local_addr().unwrap())),
            ("OTEL_METRIC_EXPORT_INTERVAL", "50".to_owned()),
            ("TELEMETRY_SPOOL_DIR", scratch.path().display().to_string()),
        ]
    };
    let servers = Servers::start_with(settings).await;
    let [_, admin] = servers.addresses("order") else { panic!("order has no admin port") };
    let tried = async {
        loop {
            let answer = reqwest::get(format!("http://{admin}/metrics")).await.unwrap().text().await.unwrap();
            if answer.contains("\notel_sdk_exporter_operation_duration_seconds_bucket{") {
                return answer;
            }
            sleep(INTERVAL).await;
        }
    };
    timeout(PATIENCE, tried).await.expect("nothing was exported")
}

#[tokio::test]
async fn only_what_the_services_print_is_asked_and_all_of_it_is_shown() {
    let mut printed = series(&printed().await);
    // Prometheus itself makes these.
    printed.insert("up".to_owned(), BTreeSet::new());
    let prometheus = yaml(&read("prometheus/prometheus.yaml"));
    let job = items(&prometheus["scrape_configs"]).iter().find(|job| job["job_name"] == scraping::JOB).unwrap();
    let own = items(&job["static_configs"]).iter().flat_map(|group| entries(&group["labels"]).map(|(label, _)| label));
    let told = own.chain(["job", "instance"]).map(str::to_owned).collect();

    let (dashboards, kinds) = (dashboards::dashboards(), datasources::kinds());
    for (name, dashboard) in &dashboards {
        let expressions = dashboards::expressions(dashboard, "prometheus", &kinds);
        let faults: Faults = expressions.iter().flat_map(|asked| strangers(asked, &printed, &told)).collect();
        assert_sound(name, &faults);
    }
    let rules = yaml(&read(&alerts::rules_and_tests().0[0]));
    let expressions: Vec<_> = alerts::alerts(&rules).map(|alert| text(&alert["expr"])).collect();
    assert!(expressions.iter().any(|asked| !selected(asked).is_empty()), "no alert asks the services");
    let faults: Faults = expressions.iter().flat_map(|asked| strangers(asked, &printed, &told)).collect();
    assert_sound("prometheus", &faults);

    let shown = dashboards::expressions(&dashboards[PAGE], "prometheus", &kinds);
    let shown: BTreeSet<_> = shown.iter().flat_map(|asked| selected(asked)).map(|(name, _)| name).collect();
    let is_shown = |name: &&String| shown.contains(name.as_str()) || name.ends_with("_sum");
    let missing: Vec<_> = printed.keys().filter(|name| !is_shown(name)).collect();
    assert!(missing.is_empty(), "{PAGE} does not show {missing:?}");
}

#[test]
fn what_nobody_prints_is_found() {
    let printed =
        series("# TYPE lost counter\nlost{signal=\"span\",reason=\"queue_full\"} 1\nlost{signal=\"log\"} 0\n");
    let told = BTreeSet::from(["job".to_owned(), "service_name".to_owned()]);
    let found = |asked: &str| strangers(asked, &printed, &told).join("; ");
    let sound =
        "sum by (service_name, reason) (rate(lost{job=\"services\", service_name=~\"$a\", reason!=\"\"}[5m])) > 0";
    assert_eq!(found(sound), "");
    assert_eq!(found("sum by (any) (lost{job=\"otelcol\"}) + other"), "", "another's");
    assert_eq!(found(&sound.replace("(lost{", "(loss{")), "nobody prints loss");
    assert_eq!(found(&sound.replace("reason!=", "why!=")), "lost has no label why");
    assert_eq!(found(&sound.replace("(service_name, reason)", "(service, reason)")), "nothing has the label service");
}
