//! Several orders, and which of their traces have arrived.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;
use tokio::time::sleep;

use crate::shop::{Gateway, NewOrder, Placed};
use crate::view::View;

/// How often it is asked whether a trace has arrived.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// Places all of them at once.
///
/// # Errors
/// When one does not reach the gateway. That it is refused is no error here.
pub(super) async fn place(gateway: &Gateway, orders: Vec<NewOrder>) -> anyhow::Result<Vec<Placed>> {
    try_join_all(orders.into_iter().map(|order| gateway.place(order))).await
}

/// The ids of the orders' traces.
///
/// # Errors
/// When an answer names none.
pub(super) fn trace_ids(placed: &[Placed]) -> anyhow::Result<Vec<String>> {
    let ids = placed.iter().map(|placed| placed.trace_id.clone());
    ids.collect::<Option<_>>().context("the gateway's answer names no trace")
}

/// How many of the traces the view holds now.
pub(super) async fn held(view: &View, ids: &[String]) -> anyhow::Result<usize> {
    let held = try_join_all(ids.iter().map(|id| view.holds(id))).await?;
    Ok(held.into_iter().filter(|held| *held).count())
}

/// Waits until the view holds all of the traces, or until the limit has passed; returns how many there are then.
pub(super) async fn all_held(view: &View, ids: &[String], limit: Duration) -> anyhow::Result<usize> {
    let started = Instant::now();
    loop {
        let held = held(view, ids).await?;
        if held == ids.len() || started.elapsed() >= limit {
            return Ok(held);
        }
        sleep(INTERVAL).await;
    }
}
