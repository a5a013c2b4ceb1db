//! Tail sampling keeps every trace that matters, and of the others the share that it was told.

use std::time::Duration;

use anyhow::ensure;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;
use tonic::Code;

use super::run::{Run, Verdict, answer};
use crate::backends::SLOW_FROM;
use crate::patience::{PATIENCE, eventually};
use crate::shop::NewOrder;

/// How many orders are declined, how many slow.
const DECLINED: usize = 3;
const SLOW: usize = 2;

/// How many healthy orders are placed.
const HEALTHY: usize = 200;

/// How many of them at once.
const AT_ONCE: usize = 4;

/// How much longer is waited once a later trace is there: deliveries may overtake each other.
const MARGIN: Duration = Duration::from_secs(2);

/// Traces with an error and slow ones arrive, whatever the share.
pub(super) async fn errors_and_slow_are_kept(run: &Run) -> anyhow::Result<Verdict> {
    let declined = std::iter::repeat_n("tok_declined", DECLINED);
    let placed = declined.chain(std::iter::repeat_n("tok_slow", SLOW)).map(|token| place(run, token));
    let traces = try_join_all(placed).await?;
    let mut missing = Vec::new();
    for (token, id) in &traces {
        let kept = async || Ok(run.backends.view.holds(id).await?.then_some(()));
        if eventually(PATIENCE, kept).await?.is_none() {
            missing.push(format!("{id} ({token})"));
        }
    }
    ensure!(missing.is_empty(), "{} of {} have not arrived: {}", missing.len(), traces.len(), missing.join(", "));
    Verdict::held(format!("{0} of {0}: {DECLINED} declined, {SLOW} slow", traces.len()))
}

/// An order whose trace has to be kept for what it is.
async fn place<'a>(run: &Run, token: &'a str) -> anyhow::Result<(&'a str, String)> {
    let (placed, id) = run.place(NewOrder { token: token.to_owned(), ..NewOrder::example() }).await?;
    let as_expected = match (token, &placed.outcome) {
        ("tok_declined", Some(Err(status))) => status.code() == Code::FailedPrecondition,
        (_, Some(Ok(_))) => placed.is_paid() && placed.took >= SLOW_FROM,
        _ => false,
    };
    ensure!(as_expected, "an order paid with {token} was answered {} (trace {id})", answer(&placed));
    Ok((token, id))
}

/// Of the traces with nothing special the Collector keeps the share that it was told.
pub(super) async fn the_share_of_healthy_is_kept(run: &Run) -> anyhow::Result<Verdict> {
    let share = run.backends.kept_share;
    if share >= 1.0 {
        return Verdict::skipped("sampling is at 100 %");
    }
    let orders = stream::repeat_with(|| run.place(NewOrder::example())).take(HEALTHY).buffer_unordered(AT_ONCE);
    let placed: Vec<_> = orders.try_collect().await?;
    let failed = placed.iter().filter(|(placed, _)| !placed.is_paid()).count();
    ensure!(failed == 0, "{failed} of {HEALTHY} orders that should be paid were not");
    // One that took long is kept as slow, and says nothing of the share.
    let healthy: Vec<_> = placed.into_iter().filter(|(placed, _)| placed.took < SLOW_FROM).map(|(_, id)| id).collect();

    // What was decided before this one, and is not there when it is, will never be.
    let (_, last) = run.succeed(NewOrder::example().kept()).await?;
    run.trace(&last, |_| true).await?;
    sleep(MARGIN).await;
    let asked = stream::iter(&healthy).map(|id| run.backends.view.holds(id)).buffer_unordered(AT_ONCE);
    let kept = asked.try_filter(|held| std::future::ready(*held)).try_fold(0, async |kept, _| Ok(kept + 1)).await?;

    let expected = run.backends.expected_of(healthy.len());
    let (least, most) = (expected.start(), expected.end());
    let found = format!("{kept} of {} (at {} % expected {least} to {most})", healthy.len(), share * 100.0);
    ensure!(expected.contains(&kept), "kept {found}");
    Verdict::held(found)
}
