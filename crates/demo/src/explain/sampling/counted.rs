//! What Prometheus counted: the calls before sampling, and the votes of the Collector's policies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::columns::printable;
use crate::explain::walk::{Walk, table};
use crate::prometheus::Prometheus;

/// How long the counts may take to arrive: the Collector tells them every few seconds, and is asked every few seconds.
const PATIENCE: Duration = Duration::from_secs(40);

const INTERVAL: Duration = Duration::from_secs(1);

/// How long counts must stand still to know of everything so far, and to be those of the Collector that runs: services
/// gather spans for up to 5 s, and the Collector tells its counts every 5 s.
const QUIET: Duration = Duration::from_secs(11);

/// How long somebody else's orders are waited out.
const QUIET_LIMIT: Duration = Duration::from_secs(40);

/// Orders at the gateway, counted from the spans before any is dropped.
const CALLS: &str = concat!(
    r#"traces_span_metrics_calls_total{service_name="gateway",span_kind="SPAN_KIND_SERVER","#,
    r#"span_name=~".+/PlaceOrder"}"#
);

/// Counts older than this, in seconds, are of a Collector that is gone: Prometheus goes on telling them for a while.
const STALE: u32 = 10;

/// Traces that were decided about.
const DECIDED: &str = r#"sum({__name__=~"otelcol_processor_tail_sampling_global_count_traces_sampled(_total)?"})"#;

/// Votes for keeping a trace, by policy.
const VOTES: &str =
    r#"sum by (policy) ({__name__=~"otelcol_processor_tail_sampling_count_traces_sampled(_total)?",sampled="true"})"#;

/// The counts at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counted {
    calls: f64,
    decided: f64,
    votes: BTreeMap<String, f64>,
}

// === impl Counted ===

impl Counted {
    /// The counts once they stand still, or after a while all the same.
    pub(super) async fn standing_still(prometheus: &Prometheus) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut counted = Self::now(prometheus).await?;
        let mut since = started;
        while since.elapsed() < QUIET && started.elapsed() < QUIET_LIMIT {
            sleep(INTERVAL).await;
            let now = Self::now(prometheus).await?;
            if now != counted {
                (counted, since) = (now, Instant::now());
            }
        }
        Ok(counted)
    }

    async fn now(prometheus: &Prometheus) -> anyhow::Result<Self> {
        let votes = prometheus.query(VOTES).await?.into_iter();
        let by_policy = votes.map(|vote| (vote.labels.get("policy").cloned().unwrap_or_default(), vote.value));
        let calls = prometheus.sum(&format!("{CALLS} and (time() - timestamp({CALLS}) < {STALE})")).await?;
        let decided = prometheus.sum(DECIDED).await?;
        Ok(Self { calls, decided, votes: by_policy.collect() })
    }

    /// How much more there is than before.
    fn since(&self, before: &Self) -> Self {
        let votes = self
            .votes
            .iter()
            .map(|(policy, votes)| (policy.clone(), votes - before.votes.get(policy).copied().unwrap_or_default()));
        Self { calls: self.calls - before.calls, decided: self.decided - before.decided, votes: votes.collect() }
    }
}

/// Waits until as many orders as were placed are counted, and shows the counts.
pub(super) async fn explain(
    walk: &Walk,
    prometheus: &Prometheus,
    before: &Counted,
    placed: usize,
) -> anyhow::Result<bool> {
    let started = Instant::now();
    let expected = f64::from(u32::try_from(placed).unwrap_or(u32::MAX));
    let counted = loop {
        let counted = Counted::now(prometheus).await?.since(before);
        if counted.calls >= expected && counted.decided >= expected || started.elapsed() >= PATIENCE {
            break counted;
        }
        sleep(INTERVAL).await;
    };
    walk.say(shown(&counted))?;
    let text = format!("the metrics count each of the {placed} orders, kept or not: they are made before sampling");
    let all = walk.check(counted.calls >= expected, &text)?;
    if counted.calls > expected || counted.decided > expected {
        walk.say("  (somebody else's traces are among them)")?;
    }
    Ok(all)
}

fn shown(counted: &Counted) -> String {
    let mut rows = vec![
        ["orders at the gateway, from its spans".to_owned(), counted.calls.to_string()],
        ["traces that were decided about".to_owned(), counted.decided.to_string()],
    ];
    let votes =
        counted.votes.iter().map(|(policy, votes)| [format!("  votes of `{}`", printable(policy)), votes.to_string()]);
    rows.extend(votes);
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(calls: f64, votes: &[(&str, f64)]) -> Counted {
        let votes = votes.iter().map(|(policy, votes)| ((*policy).to_owned(), *votes)).collect();
        Counted { calls, decided: calls, votes }
    }

    #[test]
    fn what_was_counted_before_is_taken_off() {
        let since = counted(30.0, &[("errors", 5.0), ("slow", 2.0)]).since(&counted(4.0, &[("errors", 2.0)]));
        assert_eq!(since, counted(26.0, &[("errors", 3.0), ("slow", 2.0)]));
    }

    #[test]
    fn counts_and_votes_stand_below_each_other() {
        let expected = "\
orders at the gateway, from its spans  26
traces that were decided about         26
  votes of `errors`                    3
";
        assert_eq!(shown(&counted(26.0, &[("errors", 3.0)])), expected);
    }
}
