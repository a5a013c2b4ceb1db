//! Network policies: nothing is allowed by default, each arrow has both its ends, and each end is a pod.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::compose::document::{assert_finds, items, text, texts};
use crate::compose::kustomization::{Base, FOLDER};
use crate::compose::pods::{Pod, pods};
use crate::compose::{Faults, assert_sound};

/// One call that a policy allows: who calls, who is called, and where.
type Arrow<'a> = (&'a str, &'a str, u64);

fn policies(objects: &[Value]) -> impl Iterator<Item = &Value> {
    objects.iter().filter(|object| object["kind"] == "NetworkPolicy")
}

/// The pods that a selector means.
fn selected<'a>(pods: &'a [Pod<'a>], selector: &Value) -> Vec<&'a Pod<'a>> {
    let expressions = items(&selector["matchExpressions"]);
    let expressed = |pod: &Pod<'_>| {
        expressions.iter().all(|expression| {
            assert_eq!(expression["operator"], "In", "no other is known here");
            let value = text(&pod.labels[text(&expression["key"])]);
            texts(&expression["values"]).any(|known| known == value)
        })
    };
    pods.iter().filter(|pod| pod.has(&selector["matchLabels"]) && expressed(pod)).collect()
}

/// The arrows of policies in one direction, `ingress` or `egress`, between pods of the base.
fn arrows<'a>(objects: &'a [Value], pods: &'a [Pod<'a>], direction: &str) -> BTreeSet<Arrow<'a>> {
    let peers = if direction == "ingress" { "from" } else { "to" };
    let mut arrows = BTreeSet::new();
    for policy in policies(objects) {
        for rule in items(&policy["spec"][direction]) {
            for peer in items(&rule[peers]).iter().filter(|peer| peer["namespaceSelector"].is_null()) {
                for own in selected(pods, &policy["spec"]["podSelector"]) {
                    for other in selected(pods, &peer["podSelector"]) {
                        let (caller, called) = if direction == "ingress" { (other, own) } else { (own, other) };
                        let ports = items(&rule["ports"]).iter().filter_map(|port| port["port"].as_u64());
                        arrows.extend(ports.map(|port| (caller.name, called.name, port)));
                    }
                }
            }
        }
    }
    arrows
}

fn faults(objects: &[Value]) -> Faults {
    let pods = pods(objects);
    let everything = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    let mut faults = Faults::new();
    if !policies(objects).any(|policy| policy["spec"] == everything) {
        faults.push("what no policy allows is not denied".to_owned());
    }
    for policy in policies(objects) {
        let name = text(&policy["metadata"]["name"]);
        faults.extend(of_one(policy, &pods).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    let (received, sent) = (arrows(objects, &pods, "ingress"), arrows(objects, &pods, "egress"));
    faults.extend(sent.difference(&received).map(|(from, to, port)| format!("{to} does not let {from} in at {port}")));
    faults
        .extend(received.difference(&sent).map(|(from, to, port)| format!("{from} may not go out to {to} at {port}")));
    let listens = |to: &str, port: u64| pods.iter().any(|pod| pod.name == to && pod.port(&json!(port)).is_some());
    let deaf = received.union(&sent).filter(|(_, to, port)| !listens(to, *port));
    faults.extend(deaf.map(|(_, to, port)| format!("{to} does not listen on {port}")));
    faults
}

fn of_one(policy: &Value, pods: &[Pod<'_>]) -> Faults {
    let rules = || items(&policy["spec"]["ingress"]).iter().chain(items(&policy["spec"]["egress"]));
    let peers = rules().flat_map(|rule| items(&rule["from"]).iter().chain(items(&rule["to"])));
    let own = peers.filter(|peer| peer["namespaceSelector"].is_null()).map(|peer| &peer["podSelector"]);
    let own: Vec<_> = own.chain([&policy["spec"]["podSelector"]]).collect();
    let nobody = own.iter().filter(|selector| selected(pods, selector).is_empty());
    let nobody = nobody.map(|selector| format!("no pod is {selector}"));
    // Of a list of names, each has to be one.
    let listed = own.iter().flat_map(|selector| items(&selector["matchExpressions"]));
    let listed = listed.flat_map(|listed| texts(&listed["values"]).map(|value| (text(&listed["key"]), value)));
    let gone = listed.filter(|(key, value)| !pods.iter().any(|pod| pod.labels[*key] == *value));
    let gone = gone.map(|(key, value)| format!("no pod has {key}={value}"));
    let open = rules().filter(|rule| items(&rule["ports"]).is_empty()).map(|_| "it allows every port".to_owned());
    nobody.chain(gone).chain(open).collect()
}

#[test]
fn every_arrow_leads_from_a_pod_to_a_pod_that_listens() {
    let base = Base::read();
    assert_sound(FOLDER, &faults(&base.objects));

    let pods = pods(&base.objects);
    let sent = arrows(&base.objects, &pods, "egress");
    for arrow in [("gateway", "order", 50051), ("order", "payment", 50052), ("payment", "bank", 50060)] {
        assert!(sent.contains(&arrow), "{arrow:?} is not among {sent:?}");
    }
}

#[test]
fn an_arrow_without_an_end_is_found() {
    let sound = "
- {metadata: {name: gateway}, spec: {template: {metadata: {labels: {app: gateway}}}}}
- metadata: {name: order}
  spec: {template: {metadata: {labels: {app: order}}, spec: {containers: [{ports: [{containerPort: 50051}]}]}}}
- {kind: NetworkPolicy, metadata: {name: deny}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
- kind: NetworkPolicy
  metadata: {name: out}
  spec:
    podSelector: {matchExpressions: [{key: app, operator: In, values: [gateway]}]}
    egress:
      - {to: [{podSelector: {matchLabels: {app: order}}}], ports: [{port: 50051}]}
      - {to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: dns}}}], ports: [{port: 53}]}
- kind: NetworkPolicy
  metadata: {name: in}
  spec:
    podSelector: {matchLabels: { app: order}}
    ingress: [{from: [{podSelector: {matchLabels: {app: gateway}}}], ports: [ {port: 50051}]}]
";
    let check = |objects: &Value| faults(items(objects));
    assert_finds(
        check,
        sound,
        &[
            ("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "what no policy allows is not denied"),
            ("[gateway]", "[gateway, order, bank]", "out: no pod has app=bank; order does not let order in at 50051"),
            (", ports: [{port: 53}]", "", "out: it allows every port"),
        ],
    );
    let planted = |right: &str, wrong: &str| {
        assert_eq!(sound.matches(right).count(), 1, "{right}");
        check(&crate::compose::document::yaml(&sound.replace(right, wrong)))
    };
    let nobody = "in: no pod is {\"matchLabels\":{\"app\":\"shop\"}}";
    let found = planted("{podSelector: {matchLabels: {app: gateway}}}", "{podSelector: {matchLabels: {app: shop}}}");
    assert_eq!(found, [nobody, "order does not let gateway in at 50051"]);
    let found = planted("{app: order}}}], ports: [{port: 50051}]", "{app: order}}}], ports: [{port: 50052}]");
    let arrows = ["order does not let gateway in at 50052", "gateway may not go out to order at 50051"];
    assert_eq!(found, [&arrows[..], &["order does not listen on 50052"]].concat());
}
