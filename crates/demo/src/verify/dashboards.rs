//! What Grafana and Prometheus are told to show and to watch works on this system's data.

use std::time::Duration;

use anyhow::{bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep, timeout_at};

use super::run::{Run, Verdict};
use crate::patience::{PATIENCE, eventually};
use crate::prometheus::{Prometheus, Refused};
use crate::shop::NewOrder;

use self::panels::{Expression, expressions};

mod panels;

/// How long data are waited for: a rate needs two counts, which are told each 5 s.
const LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked again.
const INTERVAL: Duration = Duration::from_secs(2);

/// What Prometheus is told to watch.
const ALERTS: &str = include_str!("../../../../compose/prometheus/alerts.yaml");

/// How many expressions are asked at once.
const AT_ONCE: usize = 8;

/// Each expression in PromQL of each dashboard comes to something. Where it does not yet, some orders are placed: what
/// is shown may be a rate or a share of them.
pub(super) async fn every_panel_shows_data(run: &Run) -> anyhow::Result<Verdict> {
    let Some(prometheus) = &run.backends.prometheus else { return Verdict::skipped("no --prometheus") };
    let expressions = expressions()?;
    let deadline = Instant::now() + LIMIT;
    let mut asked: Vec<_> = expressions.iter().collect();
    loop {
        let Ok(empty) = timeout_at(deadline, without_data(prometheus, asked)).await else {
            bail!("Prometheus has not answered {} questions in {LIMIT:?}", expressions.len());
        };
        let empty = empty?;
        if empty.is_empty() {
            return Verdict::held(format!("each of {} expressions has data", expressions.len()));
        }
        if Instant::now() + INTERVAL >= deadline {
            let why: Vec<_> = empty.iter().map(|(expression, why)| format!("{expression}\n  {why}")).collect();
            bail!("{} of {} expressions\n{}", why.len(), expressions.len(), why.join("\n"));
        }
        run.say(format!("{} expressions have no data yet", empty.len()));
        asked = empty.into_iter().map(|(expression, _)| expression).collect();
        for token in ["tok_visa", "tok_declined"] {
            run.place(NewOrder { token: token.to_owned(), ..NewOrder::example() }).await?;
        }
        sleep(INTERVAL).await;
    }
}

/// The expressions that come to nothing, and why.
///
/// # Errors
/// When Prometheus does not answer, which says nothing of an expression.
async fn without_data<'a>(
    prometheus: &Prometheus,
    expressions: Vec<&'a Expression>,
) -> anyhow::Result<Vec<(&'a Expression, String)>> {
    let asked = stream::iter(expressions).map(async |expression| match prometheus.query(&expression.runnable).await {
        Err(error) if error.is::<Refused>() => Ok(Some((expression, format!("{error:#}")))),
        Err(error) => Err(error),
        Ok(samples) if samples.is_empty() => Ok(Some((expression, "no series".to_owned()))),
        Ok(samples) if samples.iter().all(|sample| sample.value.is_nan()) => Ok(Some((expression, "NaN".to_owned()))),
        Ok(_) => Ok(None),
    });
    asked.buffered(AT_ONCE).try_filter_map(async |empty| Ok(empty)).try_collect().await
}

/// Prometheus evaluates its rules, and none fails; each alert that is written down is among them.
pub(super) async fn rules_are_evaluated(run: &Run) -> anyhow::Result<Verdict> {
    let Some(prometheus) = &run.backends.prometheus else { return Verdict::skipped("no --prometheus") };
    let evaluated = async || {
        let rules = prometheus.rules().await?;
        Ok(rules.iter().all(|rule| rule.health != "unknown").then_some(rules))
    };
    let Some(rules) = eventually(PATIENCE, evaluated).await? else { bail!("not evaluated yet after {PATIENCE:?}") };
    let missing: Vec<_> = alerts().filter(|alert| !rules.iter().any(|rule| rule.name == *alert)).collect();
    ensure!(missing.is_empty(), "Prometheus does not know {}", missing.join(", "));
    let failing: Vec<_> = rules.iter().filter(|rule| rule.health != "ok" || !rule.last_error.is_empty()).collect();
    let why: Vec<_> = failing.iter().map(|rule| format!("{}: {}", rule.name, rule.last_error)).collect();
    ensure!(why.is_empty(), "{} of {} fail\n{}", why.len(), rules.len(), why.join("\n"));
    Verdict::held(format!("{} rules, each evaluated without an error", rules.len()))
}

/// The names of the alerts that are written down.
fn alerts() -> impl Iterator<Item = &'static str> {
    ALERTS.lines().filter_map(|line| line.trim_start().strip_prefix("- alert: ")).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use axum::Router;

    use super::*;
    use crate::backend::Backend;
    use crate::backend::tests::serve;

    #[test]
    fn every_alert_that_is_written_down_is_read() {
        assert_eq!(alerts().count(), ALERTS.matches("alert:").count());
        assert!(alerts().any(|alert| alert == "CollectorDown"));
    }

    #[tokio::test]
    async fn a_refused_expression_is_one_of_many_and_a_failure_is_all_of_them() {
        let expressions = expressions().unwrap();
        let ask = async |answer: &'static str| {
            let address = serve(Router::new().fallback(async move || answer)).await;
            let prometheus = Prometheus::new(Backend::new(&address).unwrap());
            without_data(&prometheus, expressions.iter().collect()).await
        };
        let refused = ask(r#"{"status":"error","error":"parse error"}"#).await.unwrap();
        assert_eq!(refused.len(), expressions.len());
        assert!(refused.iter().all(|(_, why)| why.ends_with(": parse error")));
        let failed = ask("<html>").await.map(|empty| empty.len()).unwrap_err().to_string();
        assert!(failed.ends_with(" is no Prometheus") && failed.lines().count() == 1, "{failed}");
    }
}
