//! Volumes and mounted files: each that is declared is used, each that is used is there, and a file is only read.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, items, text, texts};
use crate::compose::{Faults, SYSTEMS, assert_sound, folder, read, system};

/// What is mounted, where from, and whether it can be written to.
pub(super) struct Mount<'a> {
    pub(super) source: &'a str,
    pub(super) target: &'a str,
    pub(super) writable: bool,
}

/// What a service mounts, in either spelling.
pub(super) fn mounts(service: &Value) -> Vec<Mount<'_>> {
    items(&service["volumes"])
        .iter()
        .map(|volume| match volume.as_str().map(|short| short.split(':').collect::<Vec<_>>()).as_deref() {
            Some([source, target]) => Mount { source, target, writable: true },
            Some([source, target, mode]) => {
                Mount { source, target, writable: !mode.split(',').any(|flag| flag == "ro") }
            }
            Some(other) => panic!("{other:?} is no volume"),
            None => Mount {
                source: text(&volume["source"]),
                target: text(&volume["target"]),
                writable: volume["read_only"] != true,
            },
        })
        .collect()
}

fn faults(system: &Value, exists: impl Fn(&str) -> bool) -> Faults {
    let mut faults = Faults::new();
    let mut used = BTreeSet::new();
    for (name, service) in entries(&system["services"]) {
        for mount in mounts(service) {
            let is_file = mount.source.starts_with(['.', '/', '~']);
            if !is_file {
                used.insert(mount.source);
            } else if !mount.source.starts_with("./") || !exists(mount.source) {
                faults.push(format!("{name}: {} is no file of compose/", mount.source));
            } else if mount.writable {
                faults.push(format!("{name}: it may change {}", mount.source));
            }
        }
    }
    let declared: BTreeSet<_> = entries(&system["volumes"]).map(|(name, _)| name).collect();
    faults.extend(used.difference(&declared).map(|name| format!("the volume {name} is not declared")));
    faults.extend(declared.difference(&used).map(|name| format!("nothing uses the volume {name}")));
    // `down -v` leaves those alone, and another project of the same names would share them.
    let foreign =
        entries(&system["volumes"]).filter(|(_, volume)| volume["external"] == true || !volume["name"].is_null());
    faults.extend(foreign.map(|(name, _)| format!("the volume {name} is not only this project's")));
    faults
}

/// Files that are mounted where neither the program is told to look nor another file of its says so.
fn unread(system: &Value, content: impl Fn(&str) -> String) -> Faults {
    let mut faults = Faults::new();
    for (name, service) in entries(&system["services"]) {
        let mounts: Vec<_> = mounts(service).into_iter().filter(|mount| mount.source.starts_with("./")).collect();
        let files = || mounts.iter().filter(|mount| mount.source.ends_with(".yaml") || mount.source.ends_with(".json"));
        let told = texts(&service["command"]).map(str::to_owned).chain(files().map(|mount| content(mount.source)));
        let told: Vec<_> = told.collect();
        let words: BTreeSet<_> = told.iter().flat_map(|text| text.split([' ', '\n', '=', '"', '\''])).collect();
        let lost = files().filter(|mount| !words.contains(mount.target));
        faults.extend(lost.map(|mount| format!("{name}: nothing reads {}", mount.target)));
    }
    faults
}

#[test]
fn volumes_and_files_are_there_and_used() {
    for (name, _) in SYSTEMS {
        let system = system(name);
        assert_sound(name, &faults(&system, |path| folder().join(path).exists()));
        assert_sound(name, &unread(&system, read));
    }
}

#[test]
fn a_volume_that_nobody_uses_or_declares_is_found() {
    let sound = r#"
services:
  loki:
    command: [-config=/etc/loki.yaml]
    volumes: ["./loki.yaml:/etc/loki.yaml:ro", "chunks:/loki"]
  tempo:
    volumes:
      - {type: bind, source: ./tempo.yaml, target: /etc/tempo.yaml, read_only: true}
      - {type: volume, source: blocks, target: /var/tempo}
volumes: {chunks: {}, blocks: }
"#;
    let content = |_: &str| "overrides: /etc/tempo.yaml".to_owned();
    let exists = |path: &str| ["./loki.yaml", "./tempo.yaml"].contains(&path);
    assert_finds(
        |system| [faults(system, exists), unread(system, content)].concat(),
        sound,
        &[
            ("loki.yaml:ro", "loki.yaml", "loki: it may change ./loki.yaml"),
            (", read_only: true", "", "tempo: it may change ./tempo.yaml"),
            ("./loki.yaml", "./other.yaml", "loki: ./other.yaml is no file of compose/"),
            ("./loki.yaml", "/var/run/docker.sock", "loki: /var/run/docker.sock is no file of compose/"),
            (", \"chunks:/loki\"", "", "nothing uses the volume chunks"),
            ("-config=/etc/loki.yaml", "-config=/loki.yaml", "loki: nothing reads /etc/loki.yaml"),
            ("target: /etc/tempo.yaml", "target: /tempo.yaml", "tempo: nothing reads /tempo.yaml"),
            ("{chunks: {}, ", "{", "the volume chunks is not declared"),
            ("chunks: {}", "chunks: {external: true}", "the volume chunks is not only this project's"),
        ],
    );
}
