//! Are the services there?

use anyhow::bail;
use futures_util::future::join_all;

use super::run::{Run, Verdict};
use crate::services::{SERVING, health};

/// `grpc.health.v1` of each service says SERVING.
pub(super) async fn all_serve(run: &Run) -> anyhow::Result<Verdict> {
    let services = &run.services;
    let known = [("gateway", &services.gateway.gateway), ("order", &services.order), ("payment", &services.payment)];
    let asked = known.map(|(name, address)| async move { (name, address, health(address).await) });
    let not_well = join_all(asked).await.into_iter().filter_map(|(name, address, health)| match health.as_deref() {
        Some(SERVING) => None,
        Some(other) => Some(format!("{name} at {address}: {other}")),
        None => Some(format!("{name}: nothing answers at {address}")),
    });
    let not_well: Vec<_> = not_well.collect();
    if !not_well.is_empty() {
        bail!(not_well.join("; "));
    }
    Verdict::held("gateway, order, payment: SERVING")
}
