//! The Kubernetes base: what its objects name is there, and what is there is named.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compose::document::{assert_finds, documents, items, strings, text, texts, yaml};
use crate::compose::pods::{Pod, containers, pods};
use crate::compose::{Faults, assert_sound, files, hosts, images, read};

/// Where the base is.
pub(super) const FOLDER: &str = "kubernetes";

/// The base: what `kustomize` is told, the objects of the files that it is told of, and what it makes maps of.
pub(super) struct Base {
    told: Value,
    pub(super) objects: Vec<Value>,
    configurations: Vec<Value>,
}

/// The files that maps are made of.
fn generated(told: &Value) -> impl Iterator<Item = &str> {
    let files = items(&told["configMapGenerator"]).iter().flat_map(|generator| texts(&generator["files"]));
    files.map(|file| file.split_once('=').unwrap_or(("", file)).1)
}

// === impl Base ===

impl Base {
    pub(super) fn read() -> Self {
        let read = |name: &str| read(&format!("{FOLDER}/{name}"));
        let told = yaml(&read("kustomization.yaml"));
        let objects = texts(&told["resources"]).flat_map(|name| documents(&read(name))).collect();
        let configurations = generated(&told).map(|name| yaml(&read(name))).collect();
        Self { told, objects, configurations }
    }

    /// One that a document holds.
    fn held(document: &Value) -> Self {
        let list = |key| items(&document[key]).to_vec();
        Self { told: document["told"].clone(), objects: list("objects"), configurations: list("configurations") }
    }

    /// A container's image with the tag that `kustomize` gives it.
    pub(super) fn image(&self, container: &Value) -> String {
        let image = text(&container["image"]);
        let given = items(&self.told["images"]).iter().find(|given| given["name"] == image);
        given.map_or_else(|| image.to_owned(), |given| format!("{image}:{}", text(&given["newTag"])))
    }

    /// What is set in a container's environment: its own, and what it takes from generated maps. A value that is put
    /// together in the cluster is not known here.
    pub(super) fn environment(&self, container: &Value) -> Vec<(String, Option<String>)> {
        let maps = items(&container["envFrom"]).iter().map(|from| &from["configMapRef"]["name"]);
        let maps = maps.filter_map(|name| self.generators().find(|generator| generator["name"] == *name));
        let taken = maps.flat_map(|map| texts(&map["literals"])).filter_map(|literal| literal.split_once('='));
        let taken = taken.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        let known = |set: &Value| set["value"].as_str().filter(|value| !value.contains("$(")).map(str::to_owned);
        let own = items(&container["env"]).iter().map(|set| (text(&set["name"]).to_owned(), known(set)));
        taken.chain(own).collect()
    }

    fn generators(&self) -> impl Iterator<Item = &Value> {
        items(&self.told["configMapGenerator"]).iter()
    }

    /// Files that nobody reads, and files that are read and not there.
    fn misplaced(&self, present: &BTreeSet<String>) -> Faults {
        let read: BTreeSet<_> =
            texts(&self.told["resources"]).chain(generated(&self.told)).map(str::to_owned).collect();
        let missing = read.difference(present).map(|name| format!("there is no {name}"));
        missing.chain(present.difference(&read).map(|name| format!("nothing reads {name}"))).collect()
    }

    fn names(&self, kind: &str) -> BTreeSet<&str> {
        let of_kind = self.objects.iter().filter(|object| object["kind"] == kind);
        of_kind.map(|object| text(&object["metadata"]["name"])).collect()
    }

    /// Maps, claims and accounts that pods name and that are not there, or that are there for nobody.
    fn dangling(&self) -> Faults {
        let generated = self.generators().map(|generator| text(&generator["name"]));
        let maps: BTreeSet<_> = generated.chain(self.names("ConfigMap")).collect();
        let pods = pods(&self.objects);
        let specs = || pods.iter().map(|pod| pod.spec);
        let volumes = || specs().flat_map(|spec| items(&spec["volumes"]));
        let sources = specs().flat_map(containers).flat_map(|container| items(&container["envFrom"]));
        let from = sources.map(|source| &source["configMapRef"]).chain(volumes().map(|volume| &volume["configMap"]));
        let claims = volumes().map(|volume| &volume["persistentVolumeClaim"]["claimName"]);
        let mut faults = Faults::new();
        let mut demand_equal = |what: &str, there: BTreeSet<&str>, named: BTreeSet<&str>| {
            faults.extend(named.difference(&there).map(|name| format!("there is no {what} {name}")));
            faults.extend(there.difference(&named).map(|name| format!("nothing uses the {what} {name}")));
        };
        demand_equal("ConfigMap", maps, from.filter_map(|map| map["name"].as_str()).collect());
        demand_equal(
            "PersistentVolumeClaim",
            self.names("PersistentVolumeClaim"),
            claims.filter_map(Value::as_str).collect(),
        );
        demand_equal(
            "ServiceAccount",
            self.names("ServiceAccount"),
            specs().map(|spec| text(&spec["serviceAccountName"])).collect(),
        );
        demand_equal(
            "image",
            items(&self.told["images"]).iter().map(|image| text(&image["name"])).collect(),
            specs().flat_map(containers).map(|container| images::parts(text(&container["image"])).0).collect(),
        );
        faults
    }

    /// Services that lead nowhere.
    fn lost(&self) -> Faults {
        let pods = pods(&self.objects);
        let mut faults = Faults::new();
        for service in self.objects.iter().filter(|object| object["kind"] == "Service") {
            let name = text(&service["metadata"]["name"]);
            let behind: Vec<&Pod<'_>> = pods.iter().filter(|pod| pod.has(&service["spec"]["selector"])).collect();
            if behind.is_empty() {
                faults.push(format!("{name}: no pod is behind it"));
            }
            for port in items(&service["spec"]["ports"]) {
                let target = if port["targetPort"].is_null() { &port["port"] } else { &port["targetPort"] };
                if behind.iter().any(|pod| pod.port(target).is_none_or(|at| port["port"] != at)) {
                    faults.push(format!("{name}: its pods do not listen on {target}"));
                }
            }
        }
        faults
    }

    /// Addresses in settings and configurations that are no Service's.
    fn strangers(&self) -> Faults {
        let services = self.objects.iter().filter(|object| object["kind"] == "Service");
        let known: BTreeSet<_> = services
            .flat_map(|service| {
                let ports = items(&service["spec"]["ports"]).iter();
                ports.map(|port| format!("{}:{}", text(&service["metadata"]["name"]), port["port"]))
            })
            .collect();
        let pods = pods(&self.objects);
        let set = pods.iter().flat_map(|pod| containers(pod.spec)).flat_map(|container| self.environment(container));
        let written = self.configurations.iter().flat_map(strings).map(str::to_owned);
        let told: BTreeSet<_> = set.filter_map(|(_, value)| value).chain(written).collect();
        let addresses = told.iter().filter_map(|text| hosts::address(text)).filter(|(host, _)| *host != hosts::OWN);
        let addresses: BTreeSet<_> = addresses.map(|(host, port)| format!("{host}:{port}")).collect();
        addresses.difference(&known).map(|address| format!("no Service is {address}")).collect()
    }
}

#[test]
fn every_object_is_there_and_used() {
    let base = Base::read();
    let names = files(FOLDER, &[".yaml"]).into_iter().map(|name| name[FOLDER.len() + 1..].to_owned());
    let present = names.filter(|name| name != "kustomization.yaml").collect();
    assert_sound(FOLDER, &[base.misplaced(&present), base.dangling(), base.lost(), base.strangers()].concat());
}

/// A base of one pod, as [`Base`] holds it.
const SOUND: &str = "
told:
  resources: [order.yaml]
  images: [{name: throughline/order, newTag: 0.1.0}]
  configMapGenerator:
    - {name: settings, literals: ['ORDER_PAYMENT=http://payment:50052', RUST_LOG=info]}
    - {name: jaeger, files: [config.yaml=jaeger.yaml]}
configurations: [{exporters: {otlp: {endpoint: 'order:50051'}}}]
objects:
  - {kind: ServiceAccount, metadata: {name: order}}
  - {kind: PersistentVolumeClaim, metadata: {name: data}}
  - {kind: Service, metadata: {name: payment}, spec: {selector: {app: order}, ports: [{port: 50052}]}}
  - {kind: Service, metadata: {name: order}, spec: {selector: {app: order}, ports: [{port: 50051, targetPort: grpc}]}}
  - metadata: {name: order}
    spec:
      template:
        metadata: {labels: {app: order}}
        spec:
          serviceAccountName: order
          volumes: [{configMap: {name: jaeger}}, {persistentVolumeClaim: {claimName: data}}]
          containers:
            - image: throughline/order
              ports: [{name: grpc, containerPort: 50051}, {containerPort: 50052}]
              envFrom: [{configMapRef: {name: settings}}]
              env: [{name: NAME, value: $(POD)}, {name: URL, value: 'http://order:50051'}]
";

#[test]
fn an_object_that_is_missing_or_idle_is_found() {
    let present = BTreeSet::from(["order.yaml", "jaeger.yaml"].map(str::to_owned));
    let check = |document: &Value| {
        let base = Base::held(document);
        [base.misplaced(&present), base.dangling(), base.lost(), base.strangers()].concat()
    };
    assert_finds(
        check,
        SOUND,
        &[
            ("[order.yaml]", "[order.yaml, other.yaml]", "there is no other.yaml"),
            (", files: [config.yaml=jaeger.yaml]", "", "nothing reads jaeger.yaml"),
            ("configMap: {name: jaeger}", "", "nothing uses the ConfigMap jaeger"),
            ("{name: settings}}]", "{name: settings}}, {configMapRef: {name: more}}]", "there is no ConfigMap more"),
            (
                "  - {kind: PersistentVolumeClaim, metadata: {name: data}}\n",
                "",
                "there is no PersistentVolumeClaim data",
            ),
            ("  - {kind: ServiceAccount, metadata: {name: order}}\n", "", "there is no ServiceAccount order"),
            ("newTag: 0.1.0}", "newTag: 0.1.0}, {name: busybox}", "nothing uses the image busybox"),
            (
                "selector: {app: order}, ports: [{port: 50051,",
                "selector: {app: shop}, ports: [{port: 50051,",
                "order: no pod is behind it",
            ),
            ("targetPort: grpc", "targetPort: http", "order: its pods do not listen on \"http\""),
            ("name: payment}, spec", "name: payments}, spec", "no Service is payment:50052"),
            ("'http://order:50051'", "'http://order:50053'", "no Service is order:50053"),
            ("'order:50051'", "'jaeger:4317'", "no Service is jaeger:4317"),
        ],
    );
}

#[test]
fn a_container_gets_a_tag_and_the_settings_of_its_maps() {
    let base = Base::held(&yaml(SOUND));
    let pods = pods(&base.objects);
    let container = containers(pods[0].spec).next().unwrap();
    assert_eq!(base.image(container), "throughline/order:0.1.0");
    let environment: BTreeMap<_, _> = base.environment(container).into_iter().collect();
    assert_eq!(environment["RUST_LOG"].as_deref(), Some("info"));
    assert_eq!(environment["NAME"], None);
}
