//! The metrics count every order, also those whose traces are dropped.

use anyhow::{Context, anyhow, ensure};

use super::run::{Run, Verdict};
use crate::counting::{LIMIT, QUIET_LIMIT, orders, standing_still};
use crate::patience::until;
use crate::prometheus::Prometheus;

impl Run {
    /// Remembers the count before the first order.
    pub(super) async fn count_before(&self) {
        if let Some(prometheus) = &self.backends.prometheus {
            let count = async { before(prometheus).await.map_err(|error| format!("{error:#}")) };
            self.counted_before.get_or_init(|| count).await;
        }
    }
}

/// The count has grown by exactly the orders of this run.
pub(super) async fn the_metrics_equal_the_traffic(run: &Run) -> anyhow::Result<Verdict> {
    let Some(prometheus) = &run.backends.prometheus else { return Verdict::skipped("no --prometheus") };
    let before = run.counted_before.get_or_init(async || Err("never counted".to_owned())).await;
    let before = before.as_ref().map_err(|error| anyhow!(error.clone()))?;
    let placed = run.placed();
    let now = async || Ok(orders(prometheus).await? - before);
    let counted = until(LIMIT, now, |counted| *counted >= placed as f64).await?;
    ensure!(
        is_equal(counted, placed)?,
        "{placed} orders placed, {counted} counted {LIMIT:?} later: spans were lost, or the Collector has restarted"
    );
    Verdict::held(format!("{placed} orders placed, {counted} counted before sampling"))
}

/// Whether all orders are counted; fewer may still become more, more cannot become fewer.
fn is_equal(counted: f64, placed: u64) -> anyhow::Result<bool> {
    let placed = placed as f64;
    ensure!(counted <= placed, "{placed} orders placed, {counted} counted: does somebody else place orders?");
    Ok(counted == placed)
}

/// The count, once it stands still.
async fn before(prometheus: &Prometheus) -> anyhow::Result<f64> {
    let counted = standing_still(async || orders(prometheus).await).await?;
    counted.with_context(|| format!("somebody else has been placing orders for {QUIET_LIMIT:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_the_orders_fails_and_one_below_is_waited_for() {
        assert!(is_equal(14.0, 14).unwrap() && !is_equal(13.0, 14).unwrap());
        assert!(is_equal(15.0, 14).unwrap_err().to_string().contains("somebody else"));
    }
}
