//! What Grafana and Prometheus are told to show and to watch works on this system's data.

use std::time::Duration;

use anyhow::{bail, ensure};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use super::run::{PATIENCE, Run, Verdict, eventually};
use crate::prometheus::Prometheus;
use crate::shop::NewOrder;

use self::panels::{Expression, expressions};

mod panels;

/// How long data are waited for: a rate needs two counts, which are told each 5 s.
const LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked again.
const INTERVAL: Duration = Duration::from_secs(2);

/// How many expressions are asked at once.
const AT_ONCE: usize = 8;

/// Each expression in PromQL of each dashboard comes to something. Where it does not yet, some orders are placed: what
/// is shown may be a rate or a share of them.
pub(super) async fn every_panel_shows_data(run: &Run) -> anyhow::Result<Verdict> {
    let Some(prometheus) = &run.backends.prometheus else { return Verdict::skipped("no --prometheus") };
    let expressions = expressions()?;
    let deadline = Instant::now() + LIMIT;
    let mut empty: Vec<_> = expressions.iter().collect();
    loop {
        empty = without_data(prometheus, empty).await.into_iter().map(|(expression, _)| expression).collect();
        if empty.is_empty() {
            return Verdict::held(format!("each of {} expressions has data", expressions.len()));
        }
        if Instant::now() >= deadline {
            let why = without_data(prometheus, empty).await;
            let why: Vec<_> = why.iter().map(|(expression, why)| format!("{expression}\n  {why}")).collect();
            bail!("{} of {} expressions\n{}", why.len(), expressions.len(), why.join("\n"));
        }
        run.say(format!("{} expressions have no data yet", empty.len()));
        for token in ["tok_visa", "tok_declined"] {
            run.place(NewOrder { token: token.to_owned(), ..NewOrder::example() }).await?;
        }
        sleep(INTERVAL).await;
    }
}

/// The expressions that come to nothing, and why.
async fn without_data<'a>(prometheus: &Prometheus, expressions: Vec<&'a Expression>) -> Vec<(&'a Expression, String)> {
    let asked = stream::iter(expressions).map(async |expression| match prometheus.query(&expression.runnable).await {
        Err(error) => Some((expression, format!("{error:#}"))),
        Ok(samples) if samples.is_empty() => Some((expression, "no series".to_owned())),
        Ok(samples) if samples.iter().all(|sample| sample.value.is_nan()) => Some((expression, "NaN".to_owned())),
        Ok(_) => None,
    });
    asked.buffered(AT_ONCE).filter_map(std::future::ready).collect().await
}

/// Prometheus evaluates its rules, and none fails.
pub(super) async fn rules_are_evaluated(run: &Run) -> anyhow::Result<Verdict> {
    let Some(prometheus) = &run.backends.prometheus else { return Verdict::skipped("no --prometheus") };
    let evaluated = async || {
        let rules = prometheus.rules().await?;
        Ok(rules.iter().all(|rule| rule.health != "unknown").then_some(rules))
    };
    let Some(rules) = eventually(PATIENCE, evaluated).await? else { bail!("not evaluated yet after {PATIENCE:?}") };
    ensure!(!rules.is_empty(), "Prometheus has none");
    let failing: Vec<_> = rules.iter().filter(|rule| rule.health != "ok" || !rule.last_error.is_empty()).collect();
    let why: Vec<_> = failing.iter().map(|rule| format!("{}: {}", rule.name, rule.last_error)).collect();
    ensure!(why.is_empty(), "{} of {} fail\n{}", why.len(), rules.len(), why.join("\n"));
    Verdict::held(format!("{} rules, each evaluated without an error", rules.len()))
}
