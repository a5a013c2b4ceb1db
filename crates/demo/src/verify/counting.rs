//! The metrics count every order, also those whose traces are dropped.

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use tokio::time::{Instant, sleep};

use super::run::{Run, Verdict};
use crate::prometheus::Prometheus;

/// The orders that the gateway has answered, as the Collector counts them before it samples.
const ORDERS: &str = concat!(
    r#"traces_span_metrics_calls_total{service_name="gateway", span_kind="SPAN_KIND_SERVER", "#,
    r#"span_name="shop.gateway.v1.ShopService/PlaceOrder"}"#
);

/// The Collector repeats each of its counts every 5 s. An older one is of a Collector that is gone: Prometheus goes on
/// to tell it for 5 min, and the new one counts from 0.
const STALE: u32 = 10;

/// A service may gather spans for 5 s, the Collector tells its counts each 5 s, and the way takes time too: a count
/// that has not changed for so long knows of every order so far, and is of the Collector that runs.
const QUIET: Duration = Duration::from_secs(11);

/// How long somebody else's orders are waited out.
const QUIET_LIMIT: Duration = Duration::from_secs(60);

/// How long the count of the last orders may take.
const LIMIT: Duration = Duration::from_secs(40);

/// How often the count is asked for.
const INTERVAL: Duration = Duration::from_secs(1);

impl Run {
    /// Remembers the count before the first order.
    pub(super) async fn count_before(&self) {
        if let Some(prometheus) = &self.backends.prometheus {
            let count = async { standing_still(prometheus).await.map_err(|error| format!("{error:#}")) };
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
    let deadline = Instant::now() + LIMIT;
    loop {
        let counted = count(prometheus).await? - before;
        if is_equal(counted, placed)? {
            return Verdict::held(format!("{placed} orders placed, {counted} counted before sampling"));
        }
        ensure!(
            Instant::now() < deadline,
            "{placed} orders placed, {counted} counted {LIMIT:?} later: spans were lost, or the Collector has restarted"
        );
        sleep(INTERVAL).await;
    }
}

/// Whether all orders are counted; fewer may still become more, more cannot become fewer.
fn is_equal(counted: f64, placed: u64) -> anyhow::Result<bool> {
    let placed = placed as f64;
    ensure!(counted <= placed, "{placed} orders placed, {counted} counted: does somebody else place orders?");
    Ok(counted == placed)
}

/// The count, once it stands still.
async fn standing_still(prometheus: &Prometheus) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut counted = count(prometheus).await?;
    let mut since = started;
    while since.elapsed() < QUIET {
        if started.elapsed() > QUIET_LIMIT {
            bail!("somebody else has been placing orders for {QUIET_LIMIT:?}");
        }
        sleep(INTERVAL).await;
        let now = count(prometheus).await?;
        if now != counted {
            (counted, since) = (now, Instant::now());
        }
    }
    Ok(counted)
}

async fn count(prometheus: &Prometheus) -> anyhow::Result<f64> {
    prometheus.sum(&format!("{ORDERS} and (time() - timestamp({ORDERS}) < {STALE})")).await
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
