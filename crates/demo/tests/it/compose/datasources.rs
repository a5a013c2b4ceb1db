//! Grafana's data sources: each is a service, and what links to one links to one that is there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, items, text, yaml};
use crate::compose::{Faults, assert_sound, files, read, system};

/// Where they are provisioned.
const FOLDER: &str = "grafana/provisioning/datasources";

/// The type of each data source by its uid.
pub(super) fn kinds() -> BTreeMap<String, String> {
    let documents: Vec<_> = files(FOLDER, &[".yaml"]).iter().map(|name| yaml(&read(name))).collect();
    let sources = documents.iter().flat_map(|document| items(&document["datasources"]));
    sources.map(|source| (text(&source["uid"]).to_owned(), text(&source["type"]).to_owned())).collect()
}

/// Every uid of a data source that stands anywhere in it.
fn links(value: &Value) -> Vec<&str> {
    let own = entries(value).filter(|(key, _)| *key == "datasourceUid").map(|(_, uid)| text(uid));
    let below = entries(value).map(|(_, value)| value).chain(items(value)).flat_map(links);
    own.chain(below).collect()
}

fn faults(document: &Value, is_service: impl Fn(&str) -> bool) -> Faults {
    let sources = items(&document["datasources"]);
    let mut faults = Faults::new();
    for source in sources {
        let uid = text(&source["uid"]);
        if uid.is_empty() || sources.iter().filter(|other| other["uid"] == uid).count() > 1 {
            faults.push(format!("{}: it has no uid of its own", source["name"]));
        }
        let host = text(&source["url"]).strip_prefix("http://").and_then(|rest| rest.split(':').next());
        if !host.is_some_and(&is_service) {
            faults.push(format!("{uid}: {} is no service", source["url"]));
        }
        if source["editable"] == true {
            faults.push(format!("{uid}: a visitor may change it"));
        }
        let unknown = links(source).into_iter().filter(|link| !sources.iter().any(|other| other["uid"] == *link));
        faults.extend(unknown.map(|link| format!("{uid}: it links to {link}, which is not there")));
    }
    if sources.iter().filter(|source| source["isDefault"] == true).count() != 1 {
        faults.push("there is not one default".to_owned());
    }
    faults
}

#[test]
fn every_data_source_is_a_service() {
    let system = system("compose.yaml");
    for name in files(FOLDER, &[".yaml"]) {
        assert_sound(&name, &faults(&yaml(&read(&name)), |host| system["services"][host].is_object()));
    }
}

#[test]
fn a_data_source_that_is_not_there_is_found() {
    let sound = r#"
datasources:
  - {name: Prometheus, uid: prometheus, type: prometheus, url: "http://prometheus:9090", isDefault: true,
     jsonData: {exemplarTraceIdDestinations: [{name: trace_id, datasourceUid: tempo}]}}
  - {name: Tempo, uid: tempo, type: tempo, url: "http://tempo:3200", editable: false,
     jsonData: {tracesToLogsV2: {datasourceUid: prometheus}}}
"#;
    assert_finds(
        |document| faults(document, |host| ["prometheus", "tempo"].contains(&host)),
        sound,
        &[
            ("tempo:3200", "jaeger:3200", "tempo: \"http://jaeger:3200\" is no service"),
            ("editable: false", "editable: true", "tempo: a visitor may change it"),
            ("datasourceUid: prometheus", "datasourceUid: loki", "tempo: it links to loki, which is not there"),
            (", isDefault: true", "", "there is not one default"),
        ],
    );
    let twice = faults(&yaml(&sound.replace("uid: prometheus, type", "uid: tempo, type")), |_| true);
    assert!(twice.contains(&"\"Tempo\": it has no uid of its own".to_owned()), "{twice:?}");
}
