//! The orders as Prometheus counts them: from the spans, before the Collector drops any.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::prometheus::Prometheus;

/// The orders that the gateway has answered.
const ORDERS: &str = concat!(
    r#"traces_span_metrics_calls_total{service_name="gateway", span_kind="SPAN_KIND_SERVER", "#,
    r#"span_name="shop.gateway.v1.ShopService/PlaceOrder"}"#
);

/// The Collector repeats each of its counts every 5 s. One older than this, in seconds, is of a Collector that is gone:
/// Prometheus goes on to tell it for 5 min, and the new one counts from 0.
const STALE: u32 = 10;

/// A service may gather spans for 5 s, the Collector tells its counts each 5 s, and the way takes time too: a count
/// that has not changed for so long knows of every order so far, and is of the Collector that runs.
const QUIET: Duration = Duration::from_secs(11);

/// How often it is looked whether a count still stands.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long somebody else's orders are waited out.
pub(crate) const QUIET_LIMIT: Duration = Duration::from_secs(60);

/// How long the count of the last orders may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// How many orders are counted now.
pub(crate) async fn orders(prometheus: &Prometheus) -> anyhow::Result<f64> {
    prometheus.sum(&format!("{ORDERS} and (time() - timestamp({ORDERS}) < {STALE})")).await
}

/// What is counted once it stands still; `None` when it does not, because somebody else places orders.
pub(crate) async fn standing_still<T: PartialEq>(
    count: impl AsyncFn() -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let started = Instant::now();
    let (mut counted, mut since) = (count().await?, started);
    while since.elapsed() < QUIET {
        if started.elapsed() >= QUIET_LIMIT {
            return Ok(None);
        }
        sleep(INTERVAL).await;
        let now = count().await?;
        if now != counted {
            (counted, since) = (now, Instant::now());
        }
    }
    Ok(Some(counted))
}
