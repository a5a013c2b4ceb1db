//! `demo explain propagation`: how one trace and one deadline cross every hop.

use std::time::Duration;

use anyhow::{Context, bail};
use uuid::Uuid;

use super::Scene;
use super::walk::Walk;
use crate::columns::{fit, printable};
use crate::order::describe;
use crate::patience::PATIENCE;
use crate::shop::NewOrder;
use crate::trace::{Item, Kind, Span, Trace};
use crate::view::Recorded;

/// How long the order may take. More than `order` ever gives a charge, so that what is left shrinks on every hop.
const DEADLINE: Duration = Duration::from_secs(9);

/// What a service may spend on a call before it calls on; a difference beyond it is a limit of its own.
const SPENT: u64 = 500;

pub(super) async fn walk(scene: &Scene) -> anyhow::Result<bool> {
    let mut walk = Walk::begin("How one trace and one deadline cross every hop")?;
    walk.step("An order that may take 9 s, from a caller that has no trace of its own")?;
    let (id, recorded) =
        order(scene, &walk, NewOrder { deadline: Some(DEADLINE), ..NewOrder::example() }, None).await?;
    walk.say("")?;
    walk.say("The id came back with the answer, in the headers x-trace-id and traceresponse; an error has them too.")?;

    walk.step("Two headers go along with each call: who calls (traceparent), and how long it may take (grpc-timeout)")?;
    let calls = calls(&recorded.trace);
    walk.say(hops(&id, &recorded.trace, &calls))?;
    for call in with_budgets_of_their_own(&calls) {
        walk.say("")?;
        walk.say(why_a_budget_of_its_own(&call.service, served_by(call, &calls)))?;
    }

    walk.step("So the hops hang together")?;
    let (fitting, served) = fitting(&calls);
    let mut as_told = walk.check(recorded.settled, "every span has its parent, and every call both of its sides")?;
    as_told &= walk.check(
        fitting == served,
        &format!("{fitting} of {served} served calls have the caller's span as their parent"),
    )?;
    let left: Vec<_> = calls.iter().filter_map(|span| span.left()).collect();
    let shrinks = left.len() == calls.len() && left.is_sorted_by(|before, after| before >= after);
    as_told &= walk.check(shrinks, &format!("the time that is left only shrinks: {} ms", arrows(&left)))?;

    walk.step("An order from a caller that is in a trace already")?;
    as_told &= continued(scene, &walk).await?;

    walk.step("Look at it")?;
    walk.say(scene.how_to_see(&id).await)?;
    Ok(as_told)
}

/// Places the order and returns its trace, once it has arrived.
async fn order(
    scene: &Scene,
    walk: &Walk,
    order: NewOrder,
    caller: Option<&str>,
) -> anyhow::Result<(String, Recorded)> {
    let placed = scene.gateway.place(order.kept()).await?;
    walk.say(describe(&placed))?;
    if !placed.succeeded() {
        bail!("the order failed, so there is nothing to show");
    }
    let id = placed.trace_id.context("the gateway's answer names no trace")?;
    let recorded = scene.backends.view.settled(&id, caller, PATIENCE).await?;
    let recorded = recorded.with_context(|| format!("trace {} has not arrived after {PATIENCE:?}", printable(&id)))?;
    Ok((id, recorded))
}

/// An order whose caller sends a `traceparent` along: whether the gateway goes on with it is a matter of trust.
async fn continued(scene: &Scene, walk: &Walk) -> anyhow::Result<bool> {
    let (trace, span) = (Uuid::new_v4().simple().to_string(), format!("{:016x}", Uuid::new_v4().as_u64_pair().1));
    let traceparent = format!("00-{trace}-{span}-01");
    walk.say(format!("sent along: traceparent: {traceparent}"))?;
    walk.say("")?;
    let mut asked = NewOrder::example();
    asked.metadata.insert("traceparent", traceparent.parse().context("a traceparent is a header's value")?);
    let (id, recorded) = order(scene, walk, asked, Some(&span)).await?;
    if id != trace {
        walk.say("The gateway trusts no caller's trace: it began one of its own, with a link to the caller's.")?;
        return Ok(true);
    }
    let first = calls(&recorded.trace).into_iter().next().context("the trace has no call")?;
    let joined = first.parent.as_deref() == Some(span.as_str());
    let parent = first.parent.as_deref().map_or_else(|| "none".to_owned(), printable);
    let (service, id) = (printable(&first.service), printable(&first.id));
    let text = format!("the same trace goes on: the parent of {service}'s span {id} is {parent}, the caller's");
    walk.check(joined, &text)
}

/// Both sides of every gRPC call, callers before those they call.
fn calls(trace: &Trace) -> Vec<&Span> {
    let spans = trace.nodes().into_iter().filter_map(|node| match node.item {
        Item::Span(span) => Some(span),
        Item::Missing(_) => None,
    });
    let is_call = |span: &&Span| span.attribute("rpc.system.name").is_some();
    spans.filter(|span| matches!(span.kind, Kind::Client | Kind::Server)).filter(is_call).collect()
}

/// A line for each side of a call, and below the calling side the header that it sent.
fn hops(trace_id: &str, trace: &Trace, calls: &[&Span]) -> String {
    let trace_id = printable(trace_id);
    let mut lines = String::new();
    for span in calls {
        let (service, id) = (fit(&printable(&span.service), 8), printable(&span.id));
        let left = span.left().map_or_else(|| "no limit".to_owned(), |left| format!("{left} ms left"));
        let side = if span.kind == Kind::Client { "calls" } else { "is called" };
        lines += &format!("{service}  {side:9}  span {id}  {left:12}  {}\n", parent(span, trace));
        if span.kind == Kind::Client {
            lines += &format!("{:10}└▶ traceparent: 00-{trace_id}-{id}-01\n", "");
        }
    }
    lines
}

/// The span's parent; its name too where it is no side of a call but work inside the service.
fn parent(span: &Span, trace: &Trace) -> String {
    let Some(id) = &span.parent else { return "no parent: the root".to_owned() };
    let inside = trace.spans.iter().find(|other| other.id == *id && other.kind == Kind::Internal);
    let name = inside.map(|inside| format!(" ({})", inside.name)).unwrap_or_default();
    printable(&format!("parent {id}{name}"))
}

/// How many served calls name a calling side as their parent, and how many there are beside the root.
fn fitting(calls: &[&Span]) -> (usize, usize) {
    let callers: Vec<_> = calls.iter().filter(|span| span.kind == Kind::Client).map(|span| span.id.as_str()).collect();
    let served = calls.iter().filter(|span| span.kind == Kind::Server).filter_map(|span| span.parent.as_deref());
    let fits: Vec<_> = served.map(|parent| callers.contains(&parent)).collect();
    (fits.iter().filter(|fits| **fits).count(), fits.len())
}

/// The calls that are given other than what the service had left itself, by more than it can have spent.
fn with_budgets_of_their_own<'a>(calls: &[&'a Span]) -> Vec<&'a Span> {
    let steps = calls.windows(2).filter_map(|pair| match pair {
        [served, made] if (served.kind, made.kind) == (Kind::Server, Kind::Client) => Some((*served, *made)),
        _ => None,
    });
    let limited = steps
        .filter(|(served, made)| served.left().zip(made.left()).is_some_and(|(had, gave)| had.abs_diff(gave) > SPENT));
    limited.map(|(_, made)| made).collect()
}

/// The service that answers the call, if its span is there.
fn served_by<'a>(call: &Span, calls: &[&'a Span]) -> Option<&'a str> {
    let served = calls.iter().find(|span| span.kind == Kind::Server && span.parent.as_ref() == Some(&call.id));
    served.map(|span| span.service.as_str())
}

fn why_a_budget_of_its_own(caller: &str, callee: Option<&str>) -> String {
    let (caller, callee) = (printable(caller), printable(callee.unwrap_or("the next service")));
    format!(
        "The hop from {caller} to {callee} has a budget of its own, not what {caller} had left: what {caller} has\n\
         accepted it sees through, even after its own caller gave up, so no caller's hurry shortens it."
    )
}

fn arrows(left: &[u64]) -> String {
    left.iter().map(u64::to_string).collect::<Vec<_>>().join(" → ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::LEFT;

    fn span(service: &str, id: &str, parent: Option<&str>, kind: Kind, left: &str) -> Span {
        let attributes =
            [("rpc.system.name", "grpc"), (LEFT, left)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let (service, id, parent) = (service.to_owned(), id.to_owned(), parent.map(str::to_owned));
        Span { service, id, parent, kind, attributes: attributes.into(), ..Span::default() }
    }

    fn trace() -> Trace {
        let root = span("gateway", "a1", None, Kind::Server, "4000");
        let call = span("gateway", "b2", Some("a1"), Kind::Client, "3998");
        let served = span("order", "c3", Some("b2"), Kind::Server, "3997");
        let statement = Span { attributes: [].into(), ..span("order", "d4", Some("c3"), Kind::Client, "") };
        Trace { spans: vec![statement, served, call, root], logs: Vec::new() }
    }

    #[test]
    fn every_side_of_a_call_has_its_line_and_every_caller_its_header() {
        let trace = trace();
        let expected = "\
gateway   is called  span a1  4000 ms left  no parent: the root
gateway   calls      span b2  3998 ms left  parent a1
          └▶ traceparent: 00-4bf9-b2-01
order     is called  span c3  3997 ms left  parent b2
";
        assert_eq!(hops("4bf9", &trace, &calls(&trace)), expected);
        let work = Span { id: "w0".to_owned(), name: "place_order".to_owned(), ..Span::default() };
        let below = span("order", "e5", Some("w0"), Kind::Client, "1");
        assert_eq!(parent(&below, &Trace { spans: vec![work], logs: Vec::new() }), "parent w0 (place_order)");
    }

    #[test]
    fn a_served_call_fits_when_its_parent_is_a_caller() {
        let mut trace = trace();
        assert_eq!(fitting(&calls(&trace)), (1, 1));
        trace.spans[1].parent = Some("a1".to_owned());
        assert_eq!(fitting(&calls(&trace)), (0, 1));
    }

    #[test]
    fn a_call_that_is_given_other_than_there_was_has_a_budget_of_its_own() {
        let mut trace = trace();
        assert!(with_budgets_of_their_own(&calls(&trace)).is_empty());
        trace.spans[2] = span("gateway", "b2", Some("a1"), Kind::Client, "3000");
        let calls = calls(&trace);
        let [call] = with_budgets_of_their_own(&calls)[..] else { panic!("{trace:?}") };
        let why = why_a_budget_of_its_own(&call.service, served_by(call, &calls));
        assert!(why.starts_with("The hop from gateway to order has a budget of its own"), "{why}");
    }

    #[test]
    fn what_is_left_reads_as_a_row() {
        let trace = trace();
        let left: Vec<_> = calls(&trace).into_iter().filter_map(Span::left).collect();
        assert_eq!(arrows(&left), "4000 → 3998 → 3997");
    }
}
