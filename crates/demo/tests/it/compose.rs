//! What can be said about the files under `compose/` without an engine: they parse, they agree with each other and with
//! the code, and every container is confined.
//!
//! Each check is a function from parsed documents to sentences about what is wrong there. It is run on the files, which
//! must be free of faults, and on a small sound document with one fault planted at a time, which it must find.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;

mod document;
mod variables;

mod images;
mod confinement;
mod memory;
mod dependencies;
mod storage;
mod ports;
mod settings;
mod hosts;
mod spools;
mod scraping;

mod components;
mod pipelines;
mod queues;
mod outdated;
mod substitutions;
mod endpoints;
mod redaction;

mod grafana;
mod datasources;
mod dashboards;
mod alerts;
mod series;

mod dockerfile;

mod kustomization;
mod pods;
mod policies;

mod programs;

use crate::compose::document::{documents, yaml};
use crate::compose::variables::interpolated;

/// What is wrong, a sentence each.
type Faults = Vec<String>;

/// The files that start a whole system, and the most memory that its containers may take together, in bytes.
const SYSTEMS: [(&str, u64); 2] = [("compose.yaml", 2_000_000_000), ("compose.lite.yaml", 800_000_000)];

/// Where the README is, from `compose/`.
const README: &str = "../README.md";

/// The folder with everything that is checked here.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose")
}

/// The text of a file, named by its path below `compose/`.
fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the files below a folder of `compose/` that end so, at any depth.
fn files(below: &str, endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder().join(below)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                found.push(path.strip_prefix(self::folder()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "compose/{below} has no file that ends in {endings:?}");
    found
}

/// What `.env` sets.
fn environment() -> BTreeMap<String, String> {
    variables::assignments(&read(".env"))
}

/// A system as the engine gets to see it.
fn system(name: &str) -> Value {
    interpolated(yaml(&read(name)), &environment())
}

/// The configurations of Collectors, by file. Jaeger is one too.
fn collectors() -> BTreeMap<String, Value> {
    let documents = files("", &[".yaml"]).into_iter().filter_map(|name| {
        let document = documents(&read(&name)).into_iter().next()?;
        document["service"]["pipelines"].is_object().then_some((name, document))
    });
    documents.collect()
}

#[track_caller]
fn assert_sound(name: &str, faults: &[String]) {
    assert!(faults.is_empty(), "compose/{name}:\n  {}", faults.join("\n  "));
}
