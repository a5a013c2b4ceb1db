//! Grafana's dashboards: every panel says what it shows and asks something of a data source that is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compose::document::{assert_finds, items, strings, text};
use crate::compose::{Faults, assert_sound, datasources, files, read};

/// Where they are.
const FOLDER: &str = "grafana/dashboards";

/// Kinds of data source that are asked by `expr`.
const ASKED: [&str; 2] = ["prometheus", "loki"];

/// Every dashboard by file.
pub(super) fn dashboards() -> BTreeMap<String, Value> {
    let parsed = |name: String| {
        let dashboard = serde_json::from_str(&read(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, dashboard)
    };
    files(FOLDER, &[".json"]).into_iter().map(parsed).collect()
}

/// The panels, those inside rows too, without the rows.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let of_rows = items(&dashboard["panels"]).iter().flat_map(|panel| items(&panel["panels"]));
    items(&dashboard["panels"]).iter().chain(of_rows).filter(|panel| panel["type"] != "row")
}

/// What a dashboard asks of data sources of a kind.
pub(super) fn expressions<'a>(dashboard: &'a Value, kind: &str, kinds: &BTreeMap<String, String>) -> Vec<&'a str> {
    let targets =
        panels(dashboard).flat_map(|panel| items(&panel["targets"]).iter().map(move |target| (panel, target)));
    let of_kind = targets.filter(|(panel, target)| kinds.get(source(panel, target)).is_some_and(|found| found == kind));
    of_kind.map(|(_, target)| text(&target["expr"])).filter(|expression| !expression.is_empty()).collect()
}

/// The uid of the data source that a target asks.
fn source<'a>(panel: &'a Value, target: &'a Value) -> &'a str {
    let own = text(&target["datasource"]["uid"]);
    if own.is_empty() { text(&panel["datasource"]["uid"]) } else { own }
}

fn faults(dashboard: &Value, kinds: &BTreeMap<String, String>) -> Faults {
    let mut faults = Faults::new();
    for (field, missing) in [("uid", "it has no uid"), ("title", "it has no title")] {
        if text(&dashboard[field]).is_empty() {
            faults.push(missing.to_owned());
        }
    }
    // An id belongs to one database; with it the file would take another dashboard's place.
    if !dashboard["id"].is_null() {
        faults.push("it has an id".to_owned());
    }
    let (mut ids, mut shown) = (BTreeSet::new(), 0);
    for panel in panels(dashboard) {
        shown += 1;
        let title = text(&panel["title"]);
        if title.is_empty() {
            faults.push(format!("panel {} has no title", panel["id"]));
        }
        if !ids.insert(panel["id"].as_u64()) {
            faults.push(format!("{title}: its id is another's"));
        }
        faults.extend(of_panel(panel, kinds).into_iter().map(|fault| format!("{title}: {fault}")));
    }
    if shown == 0 {
        faults.push("it shows nothing".to_owned());
    }
    faults.extend(overlaps(dashboard));
    faults.extend(unknown_variables(dashboard));
    faults
}

/// Panels and rows that lie over one another, or reach beyond the 24 columns of the page. What is inside a closed row is
/// laid out when that opens.
fn overlaps(dashboard: &Value) -> Faults {
    let place = |panel: &Value| ["x", "y", "w", "h"].map(|field| panel["gridPos"][field].as_u64().unwrap_or_default());
    let panels = items(&dashboard["panels"]);
    let mut faults = Faults::new();
    for (at, panel) in panels.iter().enumerate() {
        let (title, [x, y, w, h]) = (text(&panel["title"]), place(panel));
        if x + w > 24 {
            faults.push(format!("{title}: it reaches beyond the page"));
        }
        let over = panels[..at].iter().filter(|other| {
            let [other_x, other_y, other_w, other_h] = place(other);
            x < other_x + other_w && other_x < x + w && y < other_y + other_h && other_y < y + h
        });
        faults.extend(over.map(|other| format!("{title}: it lies over {}", text(&other["title"]))));
    }
    faults
}

fn of_panel(panel: &Value, kinds: &BTreeMap<String, String>) -> Faults {
    let mut faults = Faults::new();
    let targets = items(&panel["targets"]);
    if targets.is_empty() && panel["type"] != "text" {
        faults.push("it asks nothing".to_owned());
    }
    let mut names = BTreeSet::new();
    for target in targets {
        let uid = source(panel, target);
        match kinds.get(uid) {
            None => faults.push(format!("there is no data source {uid:?}")),
            Some(kind) if ASKED.contains(&kind.as_str()) && text(&target["expr"]).trim().is_empty() => {
                faults.push("it asks an empty question".to_owned());
            }
            Some(kind) if !ASKED.contains(&kind.as_str()) && text(&target["queryType"]).is_empty() => {
                faults.push(format!("it does not say what it asks of {uid}"));
            }
            Some(_) => {}
        }
        if !names.insert(text(&target["refId"])) {
            faults.push(format!("{} stands for two questions", target["refId"]));
        }
    }
    faults
}

/// Variables that nothing defines: neither the dashboard nor, where they begin with two underscores, Grafana.
fn unknown_variables(dashboard: &Value) -> Faults {
    let known: BTreeSet<_> =
        items(&dashboard["templating"]["list"]).iter().map(|variable| text(&variable["name"])).collect();
    let used: BTreeSet<_> = strings(dashboard).into_iter().flat_map(variables).collect();
    let unknown = used.iter().filter(|name| !known.contains(*name) && !name.starts_with("__"));
    let unused = known.iter().filter(|name| !used.contains(*name));
    let unused = unused.map(|name| format!("nothing uses the variable {name}"));
    unknown.map(|name| format!("there is no variable {name}")).chain(unused).collect()
}

/// The variables in a text: `$name`, `${name}`, `${name:format}`, `[[name]]`. A pattern's `$1` and `$` are none.
fn variables(text: &str) -> Vec<&str> {
    let after_dollar = text.split('$').skip(1).map(|after| after.strip_prefix('{').unwrap_or(after));
    let in_brackets = text.split("[[").skip(1).filter(|after| after.contains("]]"));
    let name =
        |after: &'_ str| after.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(after.len());
    let names = after_dollar.chain(in_brackets).map(|after| &after[..name(after)]);
    names.filter(|name| name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')).collect()
}

/// Dashboards that take each other's place, and links to none.
fn entangled(dashboards: &BTreeMap<String, Value>) -> Faults {
    let mut uids = BTreeSet::new();
    let again = dashboards.iter().filter(|(_, dashboard)| !uids.insert(text(&dashboard["uid"]).to_owned()));
    let mut faults: Faults = again.map(|(name, _)| format!("{name}: its uid is another's")).collect();
    for (name, dashboard) in dashboards {
        let linked = strings(dashboard).into_iter().flat_map(|text| text.split("/d/").skip(1));
        let linked = linked.filter_map(|rest| rest.split(['/', '?', '"']).next());
        let broken = linked.filter(|uid| !uids.contains(*uid));
        faults.extend(broken.map(|uid| format!("{name}: there is no dashboard {uid}")));
    }
    faults
}

#[test]
fn every_panel_asks_something_that_can_be_answered() {
    let (dashboards, kinds) = (dashboards(), datasources::kinds());
    for (name, dashboard) in &dashboards {
        assert_sound(name, &faults(dashboard, &kinds));
    }
    assert_sound(FOLDER, &entangled(&dashboards));
}

#[test]
fn a_panel_that_cannot_show_anything_is_found() {
    let kinds = [("prometheus", "prometheus"), ("tempo", "tempo")].map(|(uid, kind)| (uid.to_owned(), kind.to_owned()));
    let kinds = BTreeMap::from(kinds);
    let sound = r#"
uid: shop
title: Shop
templating: {list: [{name: service}]}
panels:
  - {type: row, title: Calls, panels: [
      {id: 1, type: timeseries, title: Rate, datasource: {uid: prometheus}, targets: [
        {refId: A, expr: "rate(calls{service=\"$service\"}[$__rate_interval])"}]}]}
  - {id: 2, type: nodeGraph, title: Graph, datasource: { uid: tempo}, targets: [{refId: B, queryType: serviceMap}],
     gridPos: {x: 0, y: 1, w: 12, h: 8}}
  - {id: 3, type: text, title: About, gridPos: {x: 12, y: 1, w: 12, h: 8}}
"#;
    let check = |dashboard: &Value| faults(dashboard, &kinds);
    assert_finds(
        check,
        sound,
        &[
            ("uid: shop", "id: null", "it has no uid"),
            ("title: Shop", "", "it has no title"),
            ("uid: shop", "uid: shop\nid: 7", "it has an id"),
            ("title: About", "description: About", "panel 3 has no title"),
            ("id: 2, ", "id: 1, ", "Rate: its id is another's"),
            ("uid: prometheus", "uid: mimir", "Rate: there is no data source \"mimir\""),
            ("expr:", "query:", "Rate: it asks an empty question"),
            ("[{refId: B, queryType: serviceMap}]", "[]", "Graph: it asks nothing"),
            (", queryType: serviceMap", "", "Graph: it does not say what it asks of tempo"),
            ("serviceMap}]", "serviceMap}, {refId: B, queryType: x}]", "Graph: \"B\" stands for two questions"),
            ("x: 12", "x: 13", "About: it reaches beyond the page"),
            ("x: 12, y: 1", "x: 11, y: 8", "About: it lies over Graph"),
            ("$__rate_interval", "${interval:raw}", "there is no variable interval"),
            ("{name: service}", "{name: service}, {name: method}", "nothing uses the variable method"),
        ],
    );
    assert_eq!(expressions(&crate::compose::document::yaml(sound), "prometheus", &kinds).len(), 1);
    assert_eq!(check(&serde_json::json!({"uid": "a", "title": "b"})), ["it shows nothing"]);
    assert_eq!(variables("^(a|$)$1 $b ${c:raw} [[d]] [[:space:]"), ["b", "c", "d"]);
}

#[test]
fn dashboards_that_take_each_others_place_are_found() {
    let dashboard = |uid: &str, link: &str| serde_json::json!({"uid": uid, "links": [{"url": link}]});
    let of =
        |second: Value| BTreeMap::from([("a".to_owned(), dashboard("a", "/d/b/title?x=1")), ("b".to_owned(), second)]);
    assert_eq!(entangled(&of(dashboard("b", "http://localhost:16686"))), [""; 0]);
    assert_eq!(entangled(&of(dashboard("b", "/d/c"))), ["b: there is no dashboard c"]);
    let found = entangled(&of(dashboard("a", "/d/a")));
    assert_eq!(found, ["b: its uid is another's", "a: there is no dashboard b"]);
}
