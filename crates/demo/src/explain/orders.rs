//! Several orders, and which of their traces have arrived.

use std::time::Duration;

use anyhow::Context;
use futures_util::future::try_join_all;

use crate::patience::until;
use crate::shop::{Gateway, NewOrder, Placed};
use crate::view::View;

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
    until(limit, async || held(view, ids).await, |held| *held == ids.len()).await
}
