//! Pods: what the restricted Pod Security Standard asks for, and limits and probes for every container.

use serde_json::{Value, json};

use crate::compose::document::{assert_finds, documents, entries, items, text};
use crate::compose::kustomization::{Base, FOLDER};
use crate::compose::{Faults, assert_sound};

/// The pods that a workload makes.
pub(super) struct Pod<'a> {
    pub(super) name: &'a str,
    pub(super) labels: &'a Value,
    pub(super) spec: &'a Value,
    /// What the workload counts as its own.
    selector: &'a Value,
    /// Claims that the workload makes for each of them.
    claims: &'a Value,
}

/// The pods of all workloads.
pub(super) fn pods(objects: &[Value]) -> Vec<Pod<'_>> {
    let workloads = objects.iter().filter(|object| object["spec"]["template"].is_object());
    workloads
        .map(|object| Pod {
            name: text(&object["metadata"]["name"]),
            labels: &object["spec"]["template"]["metadata"]["labels"],
            spec: &object["spec"]["template"]["spec"],
            selector: &object["spec"]["selector"]["matchLabels"],
            claims: &object["spec"]["volumeClaimTemplates"],
        })
        .collect()
}

/// The containers of a pod, those that prepare it too.
pub(super) fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    items(&spec["containers"]).iter().chain(items(&spec["initContainers"]))
}

// === impl Pod ===

impl Pod<'_> {
    /// Whether its labels are, among others, these.
    pub(super) fn has(&self, labels: &Value) -> bool {
        entries(labels).all(|(label, value)| self.labels[label] == *value)
    }

    /// The number of a port that a container declares, by its name or by its number.
    pub(super) fn port(&self, port: &Value) -> Option<u64> {
        let mut ports = containers(self.spec).flat_map(|container| items(&container["ports"]));
        ports.find(|known| known["name"] == *port || known["containerPort"] == *port)?["containerPort"].as_u64()
    }

    fn faults(&self) -> Faults {
        let context = &self.spec["securityContext"];
        let shares = ["hostNetwork", "hostPID", "hostIPC"].iter().any(|key| self.spec[key] == true);
        let mounts_host = items(&self.spec["volumes"]).iter().any(|volume| volume.get("hostPath").is_some());
        let rules = [
            (
                !entries(self.selector).collect::<Vec<_>>().is_empty() && self.has(self.selector),
                "its workload does not know it",
            ),
            (
                context["runAsNonRoot"] == true && context["runAsUser"].as_u64().is_some_and(|uid| uid > 0),
                "it may be root",
            ),
            (context["seccompProfile"]["type"] == "RuntimeDefault", "it may make any system call"),
            (!shares && !mounts_host, "it shares the node's"),
            (self.spec["automountServiceAccountToken"] == false, "it may talk to the cluster"),
            (self.spec["enableServiceLinks"] == false, "every Service adds to its settings"),
        ];
        let own = rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| format!("{}: {fault}", self.name));
        let volumes: Vec<_> = items(&self.spec["volumes"]).iter().map(|volume| text(&volume["name"])).collect();
        let claims = items(self.claims).iter().map(|claim| text(&claim["metadata"]["name"]));
        let volumes: Vec<_> = volumes.into_iter().chain(claims).collect();
        let of_containers = containers(self.spec).flat_map(|container| {
            let faults = of_container(container, &volumes).into_iter();
            let prepares = items(&self.spec["initContainers"]).contains(container);
            let unasked = faults.chain(unasked(container).filter(move |_| !prepares));
            unasked.map(move |fault| format!("{}/{}: {fault}", self.name, text(&container["name"])))
        });
        own.chain(of_containers).collect()
    }
}

fn of_container(container: &Value, volumes: &[&str]) -> Faults {
    let (context, resources) = (&container["securityContext"], &container["resources"]);
    let has = |kind: &str| ["cpu", "memory"].iter().all(|resource| !resources[kind][resource].is_null());
    let mut mounted = items(&container["volumeMounts"]).iter().map(|mount| text(&mount["name"]));
    let rules = [
        (context["allowPrivilegeEscalation"] == false, "it may gain privileges"),
        (context["capabilities"] == json!({"drop": ["ALL"]}), "it keeps capabilities"),
        (context["readOnlyRootFilesystem"] == true, "its files can be written to"),
        (context["privileged"] != true, "it has all privileges"),
        (has("requests"), "it asks for nothing"),
        (has("limits"), "it has no limits"),
        (mounted.all(|name| volumes.contains(&name)), "it mounts a volume that is not there"),
        (items(&container["ports"]).iter().all(|port| port["hostPort"].is_null()), "it takes a port of the node"),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault.to_owned()).collect()
}

/// What nobody asks a container, or at a port that it does not declare.
fn unasked(container: &Value) -> impl Iterator<Item = String> {
    let ports = items(&container["ports"]);
    let is_asked = |probe: &Value| {
        let port = [&probe["httpGet"]["port"], &probe["grpc"]["port"], &probe["tcpSocket"]["port"]];
        let port = port.into_iter().find(|port| !port.is_null());
        port.is_some_and(|port| ports.iter().any(|known| known["name"] == *port || known["containerPort"] == *port))
    };
    let probes = ["startupProbe", "readinessProbe", "livenessProbe"];
    probes
        .into_iter()
        .filter(move |probe| !is_asked(&container[probe]))
        .map(|probe| format!("its {probe} asks nothing"))
}

#[test]
fn every_pod_is_restricted_and_probed() {
    let base = Base::read();
    let pods = pods(&base.objects);
    for name in ["gateway", "order", "payment", "bank"] {
        assert!(pods.iter().any(|pod| pod.name == name), "there is no {name}");
    }
    assert_sound(FOLDER, &pods.iter().flat_map(Pod::faults).collect::<Vec<_>>());
    let namespace = base.objects.iter().find(|object| object["kind"] == "Namespace").unwrap();
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
}

/// A workload that asks for what it needs and no more.
const SOUND: &str = "
metadata: {name: order}
spec:
  selector: {matchLabels: {app: order}}
  volumeClaimTemplates: [{metadata: {name: queue}}]
  template:
    metadata: {labels: {app: order, tier: backend}}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      volumes: [{name: data, emptyDir: {}}]
      containers:
        - name: order
          ports: [{name: grpc, containerPort: 50051}]
          startupProbe: {tcpSocket: {port: grpc}}
          readinessProbe: {grpc: {port: 50051}}
          livenessProbe: {httpGet: {port: grpc, path: /livez}}
          volumeMounts: [{name: data, mountPath: /data}, {name: queue, mountPath: /queue}]
          resources: {requests: {cpu: 1, memory: 1Gi}, limits: { cpu: 1, memory: 1Gi}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
";

#[test]
fn a_pod_that_may_do_more_is_found() {
    let check = |object: &Value| pods(std::slice::from_ref(object)).iter().flat_map(Pod::faults).collect();
    assert_finds(
        check,
        SOUND,
        &[
            ("labels: {app: order", "labels: {app: payment", "order: its workload does not know it"),
            ("runAsNonRoot: true, ", "", "order: it may be root"),
            ("65532", "0", "order: it may be root"),
            ("RuntimeDefault", "Unconfined", "order: it may make any system call"),
            ("emptyDir: {}", "hostPath: {path: /}", "order: it shares the node's"),
            ("automountServiceAccountToken: false", "hostNetwork: false", "order: it may talk to the cluster"),
            ("enableServiceLinks: false", "enableServiceLinks: true", "order: every Service adds to its settings"),
            ("allowPrivilegeEscalation: false, ", "", "order/order: it may gain privileges"),
            ("[ALL]", "[NET_RAW]", "order/order: it keeps capabilities"),
            ("readOnlyRootFilesystem: true, ", "", "order/order: its files can be written to"),
            (
                "allowPrivilegeEscalation: false",
                "allowPrivilegeEscalation: false, privileged: true",
                "order/order: it has all privileges",
            ),
            ("{cpu: 1, memory: 1Gi}", "{cpu: 1}", "order/order: it asks for nothing"),
            (" cpu: 1, memory: 1Gi}}", " memory: 1Gi}}", "order/order: it has no limits"),
            ("name: data, mountPath", "name: other, mountPath", "order/order: it mounts a volume that is not there"),
            ("containerPort: 50051", "hostPort: 1, containerPort: 50051", "order/order: it takes a port of the node"),
            ("grpc: {port: 50051}", "exec: {command: [x]}", "order/order: its readinessProbe asks nothing"),
            ("{port: grpc, path", "{port: admin, path", "order/order: its livenessProbe asks nothing"),
            ("startupProbe: {tcpSocket: {port: grpc}}", "", "order/order: its startupProbe asks nothing"),
        ],
    );
    let object = &documents(SOUND)[0];
    let pods = pods(std::slice::from_ref(object));
    assert_eq!(pods[0].port(&json!("grpc")), Some(50051));
    assert_eq!(pods[0].port(&json!("admin")), None);
}
