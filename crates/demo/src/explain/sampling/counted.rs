//! What Prometheus counted: the calls before sampling, and the votes of the Collector's policies.

use std::collections::BTreeMap;

use crate::columns::printable;
use crate::counting::{LIMIT, QUIET_LIMIT, orders, standing_still};
use crate::explain::walk::{Walk, table};
use crate::patience::until;
use crate::prometheus::Prometheus;

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
    pub(super) async fn before(walk: &Walk, prometheus: &Prometheus) -> anyhow::Result<Self> {
        let now = async || Self::now(prometheus).await;
        if let Some(counted) = standing_still(now).await? {
            return Ok(counted);
        }
        walk.say(format!("they have not in {QUIET_LIMIT:?}: somebody else is placing orders, and is counted too"))?;
        now().await
    }

    async fn now(prometheus: &Prometheus) -> anyhow::Result<Self> {
        let votes = prometheus.query(VOTES).await?.into_iter();
        let by_policy = votes.map(|vote| (vote.labels.get("policy").cloned().unwrap_or_default(), vote.value));
        let calls = orders(prometheus).await?;
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
    let expected = f64::from(u32::try_from(placed).unwrap_or(u32::MAX));
    let now = async || Ok(Counted::now(prometheus).await?.since(before));
    let all = |counted: &Counted| counted.calls >= expected && counted.decided >= expected;
    let counted = until(LIMIT, now, all).await?;
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
