//! The Dockerfile: an older engine can build it, with what is pinned, and every image of it is what compose expects.

use std::collections::BTreeMap;

use crate::compose::document::{entries, text};
use crate::compose::{Faults, SYSTEMS, assert_sound, folder, images, read, system};

/// The programs that have an image each.
const PROGRAMS: [&str; 5] = ["bank", "payment", "order", "gateway", "demo"];

/// What every image says of itself.
const LABELS: [&str; 4] = ["title", "description", "version", "licenses"];

/// A stage: what it stands on, and its instructions.
struct Stage<'a> {
    base: &'a str,
    instructions: Vec<(&'a str, &'a str)>,
}

/// The text with each instruction on a line of its own, without comments.
fn unfolded(dockerfile: &str) -> String {
    let lines = dockerfile.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ")
}

/// The stages by name, in the text that [`unfolded`] made.
fn stages(unfolded: &str) -> Vec<(&str, Stage<'_>)> {
    let mut stages: Vec<(&str, Stage<'_>)> = Vec::new();
    for line in unfolded.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (keyword, arguments) = line.split_once(' ').unwrap_or((line, ""));
        if keyword == "FROM" {
            let words: Vec<_> = arguments.split_whitespace().filter(|word| !word.starts_with("--")).collect();
            let name = if let [_, "AS", name] = words[..] { name } else { "" };
            stages.push((name, Stage { base: words.first().copied().unwrap_or_default(), instructions: Vec::new() }));
        } else if let Some((_, stage)) = stages.last_mut() {
            stage.instructions.push((keyword, arguments.trim()));
        }
    }
    stages
}

/// What a stage says with a keyword, and what those said that it stands on: the nearest first.
fn said<'a>(stages: &[(&str, Stage<'a>)], name: &str, keyword: &str) -> Vec<&'a str> {
    let Some((_, stage)) = stages.iter().find(|(stage, _)| *stage == name) else { return Vec::new() };
    let own = stage.instructions.iter().rev().filter(|(said, _)| *said == keyword).map(|(_, arguments)| *arguments);
    own.chain(said(stages, stage.base, keyword)).collect()
}

/// What an image sets in the environment of its program.
pub(super) fn environment(program: &str) -> Vec<(String, String)> {
    let dockerfile = unfolded(&read("Dockerfile"));
    let lines = said(&stages(&dockerfile), program, "ENV").join(" ");
    lines
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

/// Whether a folder of an image is that of the user its program runs as: a fresh volume mounted there is too.
pub(super) fn is_owner(program: &str, folder: &str) -> bool {
    let dockerfile = unfolded(&read("Dockerfile"));
    let stages = stages(&dockerfile);
    let user = said(&stages, program, "USER").first().copied().unwrap_or_default();
    let chown = format!("--chown={user}");
    said(&stages, program, "COPY").iter().any(|copied| {
        let mut words = copied.split_whitespace();
        words.any(|word| word == chown) && words.next_back() == Some(folder)
    })
}

fn faults(dockerfile: &str) -> Faults {
    let mut faults = Faults::new();
    if dockerfile.lines().any(|line| line.replace(' ', "").to_lowercase().starts_with("#syntax=")) {
        faults.push("an older engine would fetch another syntax".to_owned());
    }
    let unfolded = unfolded(dockerfile);
    let stages = stages(&unfolded);
    for (at, (_, stage)) in stages.iter().enumerate() {
        let is_stage = stages[..at].iter().any(|(name, _)| *name == stage.base);
        let (name, tag) = images::parts(stage.base);
        if !is_stage && tag.is_none_or(|tag| tag == "latest") {
            faults.push(format!("{} is not pinned", stage.base));
        }
        if name == "rust" && !tag.is_some_and(|tag| tag.starts_with(env!("CARGO_PKG_RUST_VERSION"))) {
            faults.push(format!("{} is not the Rust of the workspace", stage.base));
        }
        for (keyword, arguments) in &stage.instructions {
            if arguments.contains("<<") {
                faults.push(format!("{keyword}: an older engine knows no heredoc"));
            }
            if arguments.contains("cargo ") && !arguments.contains("--locked") {
                faults.push(format!("{keyword}: cargo may take other versions than Cargo.lock's"));
            }
        }
    }
    faults.extend(PROGRAMS.iter().flat_map(|program| of_image(&stages, program)));
    faults
}

fn of_image(stages: &[(&str, Stage<'_>)], program: &str) -> Faults {
    let said = |keyword: &str| said(stages, program, keyword);
    let nearest = |keyword: &str| said(keyword).first().copied().unwrap_or_default();
    let path = format!("/usr/local/bin/{program}");
    let labels = said("LABEL").join(" ");
    let version = said("ARG").contains(&concat!("VERSION=", env!("CARGO_PKG_VERSION")));
    let rules = [
        (nearest("ENTRYPOINT") == format!("[\"{path}\"]"), "it does not start its program"),
        (said("COPY").iter().any(|copied| copied.ends_with(&path)), "its program is not in it"),
        (nearest("USER").starts_with(|letter: char| ('1'..='9').contains(&letter)), "it is root"),
        (version, "its version is another than the workspace's"),
    ];
    let broken = rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| format!("{program}: {fault}"));
    let is_told = |label: &&&str| !labels.contains(&format!("org.opencontainers.image.{label}="));
    let untold = LABELS.iter().filter(is_told).map(|label| format!("{program}: it does not tell its {label}"));
    broken.chain(untold).collect()
}

#[test]
fn it_builds_everywhere_and_makes_what_compose_expects() {
    assert_sound("Dockerfile", &faults(&read("Dockerfile")));
}

#[test]
fn every_image_of_ours_is_built_from_its_target() {
    for (name, _) in SYSTEMS {
        let system = system(name);
        let services = entries(&system["services"]).filter_map(|(_, service)| {
            let program = images::program(text(&service["image"]))?;
            service["build"].is_object().then(|| (program, &service["build"]))
        });
        let built: BTreeMap<_, _> = services.collect();
        for program in PROGRAMS {
            let build = built.get(program).unwrap_or_else(|| panic!("{name}: nothing builds {program}"));
            assert_eq!(build["target"], *program, "{name}");
            assert_eq!(build["context"], "..", "{name}: {program}");
            assert_eq!(build["dockerfile"], "compose/Dockerfile", "{name}: {program}");
        }
    }
}

#[test]
fn what_is_sent_to_the_engine_is_the_source_only() {
    let beside = folder().join("Dockerfile.dockerignore").exists();
    let ignored = read(if beside { "Dockerfile.dockerignore" } else { "../.dockerignore" });
    for name in ["target", ".git"] {
        let is_told = ignored.lines().any(|line| line.trim_matches('/') == name || line == "*");
        assert!(is_told, "{name} is sent to the engine:\n{ignored}");
    }
}

/// A Dockerfile in which nothing is wrong.
fn sound() -> String {
    let build = concat!(
        "FROM rust:",
        env!("CARGO_PKG_RUST_VERSION"),
        "-slim AS build\nCOPY . .\n# cargo build\nRUN cargo build --release \\\n    --locked\n",
        "FROM distroless/cc:nonroot AS runtime\nARG VERSION=",
        env!("CARGO_PKG_VERSION"),
        "\nLABEL org.opencontainers.image.licenses=\"A\" \\\n      org.opencontainers.image.version=\"${VERSION}\"\n",
        "USER 65532:65532\n",
    );
    let target = |program: &str| {
        let about = ["title", "description"].map(|label| format!("org.opencontainers.image.{label}=\"{program}\""));
        let path = format!("/usr/local/bin/{program}");
        let start = format!("COPY --from=build /out/{program} {path}\nENTRYPOINT [\"{path}\"]\n");
        format!("FROM runtime AS {program}\nLABEL {}\n{start}", about.join(" "))
    };
    build.to_owned() + &PROGRAMS.map(target).concat()
}

#[test]
fn what_an_older_engine_cannot_build_is_found() {
    let sound = sound();
    assert_eq!(faults(&sound), [""; 0]);
    let rust = concat!("rust:", env!("CARGO_PKG_RUST_VERSION"), "-slim");
    let version = concat!("ARG VERSION=", env!("CARGO_PKG_VERSION"));
    let plants = [
        ("COPY . .", "# syntax=docker/dockerfile:1", "an older engine would fetch another syntax"),
        (rust, "rust", "rust is not pinned; rust is not the Rust of the workspace"),
        (rust, "rust:1.1-slim", "rust:1.1-slim is not the Rust of the workspace"),
        ("cc:nonroot", "cc:latest", "distroless/cc:latest is not pinned"),
        ("COPY . .", "COPY <<EOF .\nEOF", "COPY: an older engine knows no heredoc"),
        ("--locked", "", "RUN: cargo may take other versions than Cargo.lock's"),
        ("/out/order /usr/local", "/out/order /usr", "order: its program is not in it"),
        ("ENTRYPOINT [\"/usr/local/bin/bank\"]", "CMD bank", "bank: it does not start its program"),
        ("title=\"demo\"", "name=\"demo\"", "demo: it does not tell its title"),
    ];
    let planted = |right: &str, wrong: &str| {
        assert_eq!(sound.matches(right).count(), 1, "{right}");
        faults(&sound.replace(right, wrong))
    };
    for (right, wrong, fault) in plants {
        assert_eq!(planted(right, wrong).join("; "), fault, "{wrong}");
    }
    let of_all = |fault: &str| PROGRAMS.map(|program| format!("{program}: {fault}"));
    assert_eq!(planted("USER 65532:65532", "USER root"), of_all("it is root"));
    assert_eq!(planted(version, "ARG VERSION=9"), of_all("its version is another than the workspace's"));
    assert_eq!(planted("licenses=", "license="), of_all("it does not tell its licenses"));
}
