//! Grafana itself: whoever comes only looks, and the dashboards are where it looks for them.

use serde_json::Value;

use crate::compose::document::{assert_finds, items, text, yaml};
use crate::compose::storage::mounts;
use crate::compose::{Faults, assert_sound, files, read, system};

/// What a visitor of Grafana may do besides looking. Who comes is not asked for a name.
fn powers(grafana: &Value) -> Faults {
    let is = |name: &str, value: &str| text(&grafana["environment"][name]) == value;
    let rules = [
        (is("GF_AUTH_ANONYMOUS_ENABLED", "true"), "a visitor needs a password"),
        (is("GF_AUTH_ANONYMOUS_ORG_ROLE", "Viewer"), "a visitor may change things"),
        (is("GF_USERS_ALLOW_SIGN_UP", "false"), "a visitor may make an account"),
        (is("GF_AUTH_DISABLE_LOGIN_FORM", "true"), "a visitor may try the administrator's password"),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault.to_owned()).collect()
}

/// Providers whose folder is not where the dashboards are mounted.
fn lost(provisioning: &Value, grafana: &Value) -> Faults {
    let mounts = mounts(grafana);
    let mounted = mounts.iter().find(|mount| mount.source == "./grafana/dashboards").map(|mount| mount.target);
    let paths = items(&provisioning["providers"]).iter().map(|provider| text(&provider["options"]["path"]));
    paths.filter(|path| Some(*path) != mounted).map(|path| format!("no dashboard is in {path}")).collect()
}

#[test]
fn a_visitor_only_looks_and_finds_the_dashboards() {
    let grafana = &system("compose.yaml")["services"]["grafana"];
    assert_sound("compose.yaml", &powers(grafana));
    for name in files("grafana/provisioning/dashboards", &[".yaml"]) {
        assert_sound(&name, &lost(&yaml(&read(&name)), grafana));
    }
}

#[test]
fn a_visitor_who_may_do_more_is_found() {
    let sound = "
environment:
  GF_AUTH_ANONYMOUS_ENABLED: 'true'
  GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer
  GF_USERS_ALLOW_SIGN_UP: 'false'
  GF_AUTH_DISABLE_LOGIN_FORM: 'true'
";
    assert_finds(
        powers,
        sound,
        &[
            ("ENABLED: 'true'", "ENABLED: 'false'", "a visitor needs a password"),
            ("Viewer", "Admin", "a visitor may change things"),
            ("SIGN_UP: 'false'", "SIGN_UP: 'true'", "a visitor may make an account"),
            ("FORM: 'true'", "FORM: 'false'", "a visitor may try the administrator's password"),
        ],
    );
}

#[test]
fn a_folder_without_dashboards_is_found() {
    let grafana = yaml("volumes: ['./grafana/dashboards:/etc/dashboards:ro']");
    let plants = [("/etc/dashboards", "/dashboards", "no dashboard is in /dashboards")];
    assert_finds(|told| lost(told, &grafana), "providers: [{options: {path: /etc/dashboards}}]", &plants);
}
