//! Images: pinned, and the same version everywhere. What was tested is what runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compose::document::{entries, text};
use crate::compose::kustomization::Base;
use crate::compose::pods::{containers, pods};
use crate::compose::{Faults, SYSTEMS, assert_sound, system};

/// What our own images are tagged with.
const OURS: (&str, &str) = ("throughline/", env!("CARGO_PKG_VERSION"));

/// An image's name and tag.
pub(super) fn parts(image: &str) -> (&str, Option<&str>) {
    let path = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[path..].find(':') {
        Some(colon) => (&image[..path + colon], Some(&image[path + colon + 1..])),
        None => (image, None),
    }
}

/// Which of our programs an image holds.
pub(super) fn program(image: &str) -> Option<&str> {
    parts(image).0.strip_prefix(OURS.0)
}

/// The images of a system.
fn of_system(system: &Value) -> Vec<String> {
    entries(&system["services"]).map(|(_, service)| text(&service["image"]).to_owned()).collect()
}

/// Images that are not pinned, or pinned twice.
fn loose(images: &[String]) -> Faults {
    let mut faults = Faults::new();
    let mut versions = BTreeMap::new();
    for image in images {
        let (name, tag) = parts(image);
        match tag {
            _ if name.is_empty() => faults.push("a container has no image".to_owned()),
            Some(tag) if name.starts_with(OURS.0) && tag != OURS.1 => {
                faults.push(format!("{image} is not version {} of ours", OURS.1));
            }
            Some(tag) if tag != "latest" && tag.contains(|letter: char| letter.is_ascii_digit()) => {
                let first = *versions.entry(name).or_insert(tag);
                if first != tag {
                    faults.push(format!("{name} is {first} in one place and {tag} in another"));
                }
            }
            _ => faults.push(format!("{image} is not pinned")),
        }
    }
    faults
}

#[test]
fn every_image_is_pinned_to_one_version() {
    let mut images: Vec<_> = SYSTEMS.iter().flat_map(|(name, _)| of_system(&system(name))).collect();
    let base = Base::read();
    let pods = pods(&base.objects);
    images.extend(pods.iter().flat_map(|pod| containers(pod.spec)).map(|container| base.image(container)));
    let ours = images.iter().filter_map(|image| program(image)).collect::<BTreeSet<_>>();
    assert_eq!(ours, BTreeSet::from(["bank", "demo", "gateway", "order", "payment"]));
    assert_sound("", &loose(&images));
}

#[test]
fn an_image_that_is_not_pinned_is_found() {
    let found = |images: &[&str]| loose(&images.iter().map(|&image| image.to_owned()).collect::<Vec<_>>()).join("; ");
    let ours = format!("throughline/order:{}", OURS.1);
    assert_eq!(found(&[&ours, "grafana/loki:3.7.6", "localhost:5000/a/b:v1", "grafana/loki:3.7.6"]), "");
    assert_eq!(found(&["grafana/loki"]), "grafana/loki is not pinned");
    assert_eq!(found(&["localhost:5000/loki"]), "localhost:5000/loki is not pinned");
    assert_eq!(found(&["grafana/loki:latest"]), "grafana/loki:latest is not pinned");
    assert_eq!(found(&["grafana/loki:main"]), "grafana/loki:main is not pinned");
    let other = format!("throughline/order:0.0.9 is not version {} of ours", OURS.1);
    assert_eq!(found(&["throughline/order:0.0.9"]), other);
    assert_eq!(found(&["a/b:1", "a/b:2"]), "a/b is 1 in one place and 2 in another");
    assert_eq!(found(&[""]), "a container has no image");
    assert_eq!(program(&ours), Some("order"));
    assert_eq!(program("grafana/loki:3.7.6"), None);
}
