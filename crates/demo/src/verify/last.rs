//! `demo verify --last N`: what was ordered a while ago has its traces by now, late or not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use proto::types::v1::Order;
use tokio::time::{Instant, sleep};

use super::run::{Run, Verdict};
use crate::backend::Failure;
use crate::columns::printable;
use crate::patience::eventually;
use crate::trace::{Kind, Trace};
use crate::view::{Search, View, is_whole};

/// How long late traces are waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a view that does not answer is given: it may have been started this moment.
const STARTING: Duration = Duration::from_secs(15);

/// How often the missing ones are asked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many are asked for at once: two traces and what is read of them fit a small container.
const AT_ONCE: usize = 2;

/// How far from an order's creation its span may have started: no call takes longer than its deadline.
const AROUND: Duration = Duration::from_secs(15);

/// How many traces that name an order are looked at: it may have been asked about since.
const TRACES: usize = 20;

/// How many missing ones are named.
const NAMED: usize = 10;

/// Each of the newest orders has its trace in the view.
pub(super) async fn have_traces(run: &Run, count: u32) -> anyhow::Result<Verdict> {
    let orders = run.gateway.newest(count as usize).await?;
    ensure!(orders.len() == count as usize, "the shop knows of {} orders only", orders.len());
    starts(&run.backends.view).await?;
    let mut missing: BTreeMap<_, _> = orders.iter().map(|order| (order.id.as_str(), order)).collect();
    let deadline = Instant::now() + LIMIT;
    loop {
        let asked = stream::iter(missing.values().copied()).map(|order| found(run, order)).buffer_unordered(AT_ONCE);
        let arrived: Vec<_> = asked.try_filter_map(|id| std::future::ready(Ok(id))).try_collect().await?;
        missing.retain(|id, _| !arrived.contains(&(*id).to_owned()));
        let so_far = format!("{} of {count} arrived", orders.len() - missing.len());
        if missing.is_empty() {
            return Verdict::held(so_far);
        }
        run.say(so_far.clone());
        if Instant::now() >= deadline {
            let sampled = run.backends.kept_share < 1.0;
            let hint = if sampled { "; below 100 % sampling drops healthy ones" } else { "" };
            let named: Vec<_> = missing.keys().take(NAMED).map(|id| printable(id)).collect();
            let more = missing.len().checked_sub(NAMED + 1).map_or("", |_| "\n…");
            bail!("{so_far} in {LIMIT:?}{hint}; without a trace are the orders\n{}{more}", named.join("\n"));
        }
        sleep(INTERVAL).await;
    }
}

/// Waits for a view that may be starting. What else is wrong with it stays so.
async fn starts(view: &View) -> anyhow::Result<()> {
    let started = async || match view.services().await {
        Err(error) if Failure::may_pass(&error) => Ok(None),
        answer => answer.map(Some),
    };
    if eventually(STARTING, started).await?.is_none() {
        view.services().await?;
    }
    Ok(())
}

/// The order's id, if the view has the whole trace in which it was placed.
async fn found(run: &Run, order: &Order) -> anyhow::Result<Option<String>> {
    let created = order.create_time.as_ref().map_or(UNIX_EPOCH, |time| {
        let seconds = u64::try_from(time.seconds).unwrap_or_default();
        UNIX_EPOCH + Duration::new(seconds, u32::try_from(time.nanos).unwrap_or_default())
    });
    let between: (SystemTime, SystemTime) = (created.checked_sub(AROUND).unwrap_or(UNIX_EPOCH), created + AROUND);
    let search = Search { service: "order", attribute: Some(("order.id", &order.id)), between, limit: TRACES };
    let view = &run.backends.view;
    for id in view.search(&search).await? {
        if view.trace(&id).await?.is_some_and(|recorded| places_an_order(&recorded.trace)) {
            return Ok(Some(order.id.clone()));
        }
    }
    Ok(None)
}

/// Whether this is all of a `PlaceOrder`, from the gateway's answer inwards. Whoever called it may have a span of their
/// own, which is elsewhere.
fn places_an_order(trace: &Trace) -> bool {
    let entry = trace.spans.iter().find(|span| {
        let asked = span.kind == Kind::Server && span.name.ends_with("/PlaceOrder");
        asked && span.service == "gateway" && !trace.spans.iter().any(|other| span.parent.as_ref() == Some(&other.id))
    });
    entry.is_some_and(|entry| is_whole(trace, entry.parent.as_deref()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::http::StatusCode;

    use super::*;
    use crate::backend::tests::serve;
    use crate::trace::Span;

    fn span(service: &str, kind: Kind, method: &str, parent: Option<&str>) -> Span {
        let (id, name) = (format!("{service} {kind}"), format!("shop.{service}.v1.Service/{method}"));
        let attributes = [("rpc.system.name".to_owned(), "grpc".to_owned())].into();
        let (service, parent) = (service.to_owned(), parent.map(str::to_owned));
        Span { service, id, name, kind, parent, attributes, ..Span::default() }
    }

    fn placed(caller: Option<&str>) -> Trace {
        let entry = span("gateway", Kind::Server, "PlaceOrder", caller);
        let call = span("gateway", Kind::Client, "PlaceOrder", Some(&entry.id));
        let served = span("order", Kind::Server, "PlaceOrder", Some(&call.id));
        Trace { spans: vec![served, call, entry], logs: Vec::new() }
    }

    #[test]
    fn a_trace_in_which_an_order_was_placed_is_whole_from_the_gateway_inwards() {
        assert!(places_an_order(&placed(None)) && places_an_order(&placed(Some("elsewhere"))));
        for lost in 0..3 {
            let mut trace = placed(None);
            trace.spans.remove(lost);
            assert!(!places_an_order(&trace), "without span {lost}");
        }
        let looked_up = span("gateway", Kind::Server, "GetOrder", None);
        assert!(!places_an_order(&Trace { spans: vec![looked_up], logs: Vec::new() }));
    }

    /// How often a view is asked that answers like this.
    async fn asked(status: StatusCode, text: &'static str) -> usize {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let answer = async move || {
            // What was starting has started when it is asked again.
            let again = counted.fetch_add(1, Ordering::Relaxed) > 0;
            if again { (StatusCode::OK, r#"{"services":[]}"#) } else { (status, text) }
        };
        let view = View::new(&serve(Router::new().fallback(answer)).await).unwrap();
        let started = starts(&view).await;
        assert_eq!(started.is_ok(), asked.load(Ordering::Relaxed) == 2, "{status}: {started:?}");
        asked.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn only_a_view_that_may_be_starting_is_asked_again() {
        for status in [StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE] {
            assert_eq!(asked(status, "").await, 2, "{status}");
        }
        assert_eq!(asked(StatusCode::OK, "<html>").await, 1);
        assert_eq!(asked(StatusCode::INTERNAL_SERVER_ERROR, "broken").await, 1);
    }
}
