//! What a trace shows of calls that are repeated, hurried or asked twice.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use uuid::Uuid;

use super::chain::rpcs;
use super::run::{Run, Verdict, answer};
use crate::shop::NewOrder;
use crate::trace::{Kind, LEFT, Span, Trace};

/// How long the hurried order may take: less than by default, and more than the 8 s that a charge has at most. A charge
/// is seen through even where its caller has less, and then has more time than that one.
const BUDGET: Duration = Duration::from_secs(9);

/// The hops of an order, from the edge inwards.
const HOPS: [(&str, Kind); 5] = [
    ("gateway", Kind::Server),
    ("gateway", Kind::Client),
    ("order", Kind::Server),
    ("order", Kind::Client),
    ("payment", Kind::Server),
];

/// A bank that fails twice is asked three times, and each attempt is a span of its own.
pub(super) async fn a_retry_is_shown_as_attempts(run: &Run) -> anyhow::Result<Verdict> {
    let order = NewOrder { token: "tok_flaky".to_owned(), ..NewOrder::example() };
    let (_, id) = run.succeed(order.kept()).await?;
    let trace = run.trace(&id, |trace| attempts(trace).len() == 3).await?;
    shows_three_attempts(&trace).with_context(|| format!("trace {id}"))?;
    Verdict::held("3 attempts, the third succeeded")
}

/// Each hop has less time left than the one before.
pub(super) async fn the_deadline_shrinks(run: &Run) -> anyhow::Result<Verdict> {
    let order = NewOrder { deadline: Some(BUDGET), ..NewOrder::example() };
    let (_, id) = run.succeed(order.kept()).await?;
    let trace = run.trace(&id, |trace| rpcs(trace, Kind::Server).len() == 3).await?;
    let left = left_on_each_hop(&trace).with_context(|| format!("trace {id}"))?;
    Verdict::held(format!("{left} ms left of {}", BUDGET.as_millis()))
}

/// The same key again is the same order, and nothing is done for it twice.
pub(super) async fn a_replay_does_nothing_twice(run: &Run) -> anyhow::Result<Verdict> {
    let key = Uuid::new_v4().to_string();
    let order = || NewOrder { key: key.clone(), ..NewOrder::example() }.kept();
    let (first, first_id) = run.succeed(order()).await?;
    let (again, id) = run.place(order()).await?;
    ensure!(again.is_paid(), "the second answer to the same key is {} (trace {id})", answer(&again));
    ensure!(again.replayed, "the second answer to the same key is not marked idempotent-replayed (trace {id})");
    let Some(Ok(second)) = again.outcome else { bail!("the second answer to the same key is an error (trace {id})") };
    ensure!(first.id == second.id, "the same key is order {} and then order {}", first.id, second.id);
    ensure!(first_id != id, "both calls are one trace, {id}");

    let trace = run.trace(&id, |_| true).await?;
    neither_writes_nor_pays(&trace).with_context(|| format!("trace {id}"))?;
    Verdict::held(format!("the same order, {} spans, none writes or pays", trace.spans.len()))
}

/// The calls of the bank, in the order they started.
fn attempts(trace: &Trace) -> Vec<&Span> {
    let to_the_bank = |span: &&Span| span.kind == Kind::Client && span.name.starts_with("POST ");
    let mut attempts: Vec<_> = trace.spans.iter().filter(to_the_bank).collect();
    attempts.sort_by_key(|span| span.start);
    attempts
}

fn shows_three_attempts(trace: &Trace) -> anyhow::Result<()> {
    let attempts = attempts(trace);
    let found = attempts.iter().map(|span| (span.attribute("http.request.resend_count"), span.failed));
    let found: Vec<_> = found.collect();
    let expected = [(None, true), (Some("1"), true), (Some("2"), false)];
    ensure!(found == expected, "the attempts (http.request.resend_count, failed) are {found:?}");
    Ok(())
}

/// `9000 → 8999 → …`
fn left_on_each_hop(trace: &Trace) -> anyhow::Result<String> {
    let mut left = Vec::new();
    for (service, kind) in HOPS {
        let span = rpcs(trace, kind).into_iter().find(|span| span.service == service);
        let span = span.with_context(|| format!("there is no {kind} span of {service}"))?;
        let told = span.left().with_context(|| format!("the {kind} span of {service} has no {LEFT}"))?;
        left.push(u128::from(told));
    }
    let shown = left.iter().map(u128::to_string).collect::<Vec<_>>().join(" → ");
    let budget = BUDGET.as_millis();
    let shrinks = left.is_sorted_by(|before, after| before >= after) && left[0] <= budget && left[4] < budget;
    ensure!(shrinks, "of {budget} ms there are left, hop by hop, {shown}");
    Ok(shown)
}

fn neither_writes_nor_pays(trace: &Trace) -> anyhow::Result<()> {
    let inserted = trace.spans.iter().find(|span| span.name.starts_with("INSERT"));
    ensure!(inserted.is_none(), "the repeated call writes: {}", inserted.map_or("", |span| &span.name));
    ensure!(trace.spans.iter().all(|span| span.service != "payment"), "the repeated call reaches payment");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans of a trace, each starting after the one before.
    fn trace(spans: impl IntoIterator<Item = Span>) -> Trace {
        let spans = spans.into_iter().enumerate().map(|(at, span)| Span { start: at as u64, ..span });
        Trace { spans: spans.collect(), logs: Vec::new() }
    }

    fn attempt(count: Option<&str>, failed: bool) -> Span {
        let attributes = count.map(|count| ("http.request.resend_count".to_owned(), count.to_owned()));
        let attributes = attributes.into_iter().collect();
        Span { name: "POST /v1/authorisations".to_owned(), kind: Kind::Client, failed, attributes, ..Span::default() }
    }

    #[test]
    fn a_retry_is_three_attempts_that_count_themselves_of_which_the_last_succeeds() {
        let judge = |attempts: &[(Option<&str>, bool)]| {
            shows_three_attempts(&trace(attempts.iter().map(|(count, failed)| attempt(*count, *failed))))
        };
        judge(&[(None, true), (Some("1"), true), (Some("2"), false)]).unwrap();
        for wrong in [
            &[(None, true), (Some("1"), true), (Some("2"), true)][..],
            &[(None, false), (Some("1"), true), (Some("2"), false)],
            &[(None, true), (None, true), (None, false)],
            &[(None, true), (Some("1"), false)],
            &[],
        ] {
            judge(wrong).unwrap_err();
        }
    }

    fn hops(left: [u32; 5]) -> Vec<Span> {
        let hop = |((service, kind), left): ((&str, Kind), u32)| Span {
            service: service.to_owned(),
            kind,
            attributes: [("rpc.system.name", "grpc".to_owned()), (LEFT, left.to_string())]
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
            ..Span::default()
        };
        HOPS.into_iter().zip(left).map(hop).collect()
    }

    #[test]
    fn a_deadline_shrinks_where_no_hop_has_more_than_the_one_before_and_the_last_has_less_than_was_given() {
        let judge = |left| left_on_each_hop(&trace(hops(left)));
        assert_eq!(judge([9000, 8999, 8999, 8000, 7999]).unwrap(), "9000 → 8999 → 8999 → 8000 → 7999");
        for wrong in [[9000, 8999, 8999, 9000, 8999], [9001, 8999, 8999, 8000, 7999], [9000; 5]] {
            assert!(judge(wrong).unwrap_err().to_string().contains("hop by hop"), "{wrong:?}");
        }
    }

    #[test]
    fn a_deadline_that_a_hop_does_not_tell_does_not_shrink() {
        let mut spans = hops([9000, 8999, 8999, 8000, 7999]);
        spans[2].attributes.remove(LEFT);
        let why = left_on_each_hop(&trace(spans.clone())).unwrap_err().to_string();
        assert_eq!(why, "the SERVER span of order has no grpc.timeout_ms");
        spans.pop();
        spans[2] = spans[0].clone();
        let why = left_on_each_hop(&trace(spans)).unwrap_err().to_string();
        assert_eq!(why, "there is no SERVER span of order");
    }

    #[test]
    fn a_replay_that_writes_or_pays_does_something_twice() {
        let span =
            |service: &str, name: &str| Span { service: service.to_owned(), name: name.to_owned(), ..Span::default() };
        let lookup = span("order", "SELECT idempotency_keys");
        neither_writes_nor_pays(&trace([lookup.clone()])).unwrap();
        neither_writes_nor_pays(&trace([lookup.clone(), span("order", "INSERT orders")])).unwrap_err();
        neither_writes_nor_pays(&trace([lookup, span("payment", "charge")])).unwrap_err();
    }
}
