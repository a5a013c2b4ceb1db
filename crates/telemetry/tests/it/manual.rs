//! What the crate page says of variables is what the code reads.

use std::collections::BTreeSet;
use std::path::Path;

/// Those that the code puts together from parts.
const OTLP: [&str; 9] = [
    "CERTIFICATE",
    "CLIENT_CERTIFICATE",
    "CLIENT_KEY",
    "COMPRESSION",
    "ENDPOINT",
    "HEADERS",
    "INSECURE",
    "PROTOCOL",
    "TIMEOUT",
];

#[test]
fn the_table_of_variables_names_those_that_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut read: BTreeSet<String> = OTLP.iter().map(|what| format!("OTEL_EXPORTER_OTLP_{what}")).collect();
    for source in sources(&folder) {
        let code = std::fs::read_to_string(source).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        read.extend(variables(code, '"'));
    }
    let manual = std::fs::read_to_string(folder.join("manual.md")).unwrap();
    let (told, _) = manual.split_once("\nNot read: ").unwrap();
    let table: BTreeSet<_> = told.lines().filter(|line| line.starts_with("| `")).collect();
    let told: BTreeSet<_> = table.iter().flat_map(|line| variables(line.split(" | ").next().unwrap(), '`')).collect();
    assert_eq!(told, read);
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: std::path::PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    let is_code =
        |path: &std::path::PathBuf| path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs");
    entries.flat_map(of).filter(is_code).collect()
}

/// The whole names between two of these quotes.
fn variables(text: &str, quote: char) -> Vec<String> {
    let is_name = |text: &&str| {
        let ours = text.starts_with("OTEL_") || text.starts_with("TELEMETRY_");
        ours && !text.ends_with('_') && text.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
    };
    text.split(quote).filter(is_name).map(str::to_owned).collect()
}
