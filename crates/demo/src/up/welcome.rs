//! What `demo up` says: where everything is, and what to try with it.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arguments;
use crate::child::Child;
use crate::member::Member;
use crate::ports::ADMIN;
use crate::system::{Plan, System};

/// The processes with their ports and ids, and where data and traces go.
pub(super) fn addresses(system: &System, plan: &Plan<'_>, took: Duration) -> String {
    let mut lines = vec![format!("The shop is ready after {:.1} s.\n", took.as_secs_f64())];
    lines.extend(system.children().iter().rev().map(|child| process(child, plan)));
    let beside = if plan.data.is_beside_default() { "  (another demo uses the default folder)" } else { "" };
    lines.push(format!("  data       {}{beside}", shown(plan.data.path()).display()));
    lines.push("  tracing    --trust-trace=all: a caller's traceparent is continued".to_owned());
    if let Some(otlp) = plan.otlp {
        lines.push(format!("             sent to {otlp}: the waterfalls are there, none is printed here"));
    }
    lines.join("\n") + "\n"
}

fn process(child: &Child, plan: &Plan<'_>) -> String {
    let at = &child.addresses;
    let places = match (child.member, at.as_slice()) {
        (Member::Collector, [grpc, http, query]) => format!("OTLP {grpc} (gRPC), {http} (HTTP); view http://{query}"),
        (Member::Bank, [http]) => format!("http://{http}"),
        (_, [rpc, admin]) => format!("{rpc}  admin http://{admin}"),
        (_, others) => format!("{others:?}"),
    };
    let id = child.id().map(|id| format!("  process {id}")).unwrap_or_default();
    let wanted = plan.ports.of(child.member).into_iter().zip(at);
    let taken = wanted.filter(|(wanted, got)| *wanted != 0 && *wanted != got.port());
    let taken: Vec<_> = taken.map(|(wanted, _)| wanted.to_string()).collect();
    let note = if taken.is_empty() { String::new() } else { format!("  ({} taken)", taken.join(", ")) };
    format!("  {:9}  {places}{id}{note}", child.member)
}

/// Commands that work as they stand, against this very system.
pub(super) fn next_steps(system: &System, trace_id: Option<&str>) -> String {
    let demo = this_program();
    let gateway = flag("--gateway", &system.url(Member::Gateway), arguments::GATEWAY);
    let view = system.view().map(|view| flag("--view", &view, arguments::VIEW)).unwrap_or_default();
    let order = flag("--order", &system.url(Member::Order), arguments::ORDER);
    let payment = flag("--payment", &system.url(Member::Payment), arguments::PAYMENT);
    let admin = [Member::Gateway, Member::Order, Member::Payment].map(|member| admin_flag(system, member)).concat();
    let mut steps = vec![
        format!("{demo} order --sku coffee --quantity 2{gateway}{view}"),
        format!("{demo} order --token tok_declined{gateway}{view}"),
        format!("{demo} order --token tok_flaky{gateway}{view}"),
        format!("{demo} order --token tok_slow --deadline 1s{gateway}{view}"),
        format!("{demo} services{gateway}{order}{payment}{view}"),
        format!("{demo} doctor{gateway}{order}{payment}{view}{admin}"),
    ];
    if let (Some(id), Some(_)) = (trace_id, system.view()) {
        steps.push(format!("{demo} trace {id}{view}"));
    }
    let grpc = system.addresses(Member::Gateway).first().map(ToString::to_string).unwrap_or_default();
    steps.push(format!("grpcurl -plaintext {grpc} list"));
    steps.push(format!("grpcurl -v -plaintext -d '{}' {grpc} shop.gateway.v1.ShopService/PlaceOrder", body()));
    let steps: Vec<_> = steps.iter().map(|step| format!("  {step}\n")).collect();
    format!("Try, in another terminal:\n{}\nCtrl-C lets calls finish, flushes and stops.", steps.concat())
}

/// A request for the shell, under a fresh key each time it is run.
fn body() -> &'static str {
    concat!(
        r#"{"idempotency_key":"'$(uuidgen)'","items":[{"sku":"tea","quantity":1}],"#,
        r#""customer":{"email":"ada@example.com"},"payment_token":"tok_visa"}"#,
    )
}

/// How this program is called: by cargo's alias, or by its own name.
fn this_program() -> String {
    if env::var_os("CARGO").is_some() {
        return "cargo demo".to_owned();
    }
    env::args_os().next().map_or_else(|| "demo".to_owned(), |program| program.to_string_lossy().into_owned())
}

/// A flag, where its default would not do.
fn flag(name: &str, value: &str, default: &str) -> String {
    if value == default { String::new() } else { format!(" {name} {value}") }
}

/// Where the admin port of a service is, if not where it is expected.
fn admin_flag(system: &System, member: Member) -> String {
    match system.addresses(member) {
        [rpc, admin] if rpc.port().checked_add(ADMIN) != Some(admin.port()) => {
            format!(" --{member}-admin http://{admin}")
        }
        _ => String::new(),
    }
}

/// A path as seen from here, where it lies below.
fn shown(path: &Path) -> PathBuf {
    let here = env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}
