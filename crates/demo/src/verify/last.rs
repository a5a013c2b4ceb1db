//! `demo verify --last N`: what was ordered a while ago has its traces by now, late or not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use proto::types::v1::Order;
use tokio::time::{Instant, sleep};

use super::run::{Run, Verdict, eventually};
use crate::columns::printable;
use crate::view::Search;

/// How long late traces are waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a view that does not answer is given: it may have been started this moment.
const STARTING: Duration = Duration::from_secs(15);

/// How often the missing ones are asked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many are asked for at once.
const AT_ONCE: usize = 8;

/// How far from an order's creation its span may have started: no call takes longer than its deadline.
const AROUND: Duration = Duration::from_secs(15);

/// How many missing ones are named.
const NAMED: usize = 10;

/// Each of the newest orders has its trace in the view.
pub(super) async fn have_traces(run: &Run, count: u32) -> anyhow::Result<Verdict> {
    let orders = run.gateway.newest(count as usize).await?;
    ensure!(orders.len() == count as usize, "the shop knows of {} orders only", orders.len());
    let view = &run.backends.view;
    if eventually(STARTING, async || Ok(view.services().await.ok())).await?.is_none() {
        view.services().await?;
    }
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

/// The order's id, if the view has a trace of it.
async fn found(run: &Run, order: &Order) -> anyhow::Result<Option<String>> {
    let created = order.create_time.as_ref().map_or(UNIX_EPOCH, |time| {
        let seconds = u64::try_from(time.seconds).unwrap_or_default();
        UNIX_EPOCH + Duration::new(seconds, u32::try_from(time.nanos).unwrap_or_default())
    });
    let between: (SystemTime, SystemTime) = (created.checked_sub(AROUND).unwrap_or(UNIX_EPOCH), created + AROUND);
    let search = Search { service: "order", attribute: Some(("order.id", &order.id)), between, limit: 1 };
    Ok((!run.backends.view.search(&search).await?.is_empty()).then(|| order.id.clone()))
}
