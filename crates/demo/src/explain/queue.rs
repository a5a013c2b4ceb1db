//! `demo explain queue`: what becomes of traces while a backend is down.
//!
//! On a terminal it asks to stop the backend and to start it again, and watches. Elsewhere nobody can be asked: it shows
//! the queues as they are, and that the traces of its orders arrive.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::orders::{all_held, place, trace_ids};
use super::walk::{Walk, table};
use super::{Scene, needed};
use crate::columns::printable;
use crate::patience::until;
use crate::prometheus::Prometheus;
use crate::shop::NewOrder;

/// How many orders are placed.
const ORDERS: usize = 20;

/// How long a person has to stop or to start the backend.
const HUMAN_LIMIT: Duration = Duration::from_secs(5 * 60);

/// How long earlier traces may take to leave the queues.
const CALM_LIMIT: Duration = Duration::from_secs(15);

/// How long the queue may take to show the orders: the decision about their traces, and how often Prometheus asks.
const GROWTH_LIMIT: Duration = Duration::from_secs(60);

/// How long the traces may take to arrive: the Collector tries a backend again every few seconds.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(90);

/// The size and the capacity of every exporter's queue.
const SIZE: &str = "max by (exporter) (otelcol_exporter_queue_size)";
const CAPACITY: &str = "max by (exporter) (otelcol_exporter_queue_capacity)";

/// What to do where nobody can be asked.
const BY_HAND: &str = "\
On a terminal this walk asks for a backend to be stopped, and watches its queue fill and drain.
By hand, in compose/:

  docker compose stop jaeger
  demo load --rps 10 --for 5s
  docker compose start jaeger
  demo verify --last 50";

/// How full each exporter's queue is.
#[derive(Clone, Debug, Default, PartialEq)]
struct Queues(BTreeMap<String, f64>);

pub(super) async fn walk(scene: &Scene) -> anyhow::Result<bool> {
    let why = "the Collector's queues are seen in its metrics";
    let prometheus = needed(&scene.backends.prometheus, why, "--prometheus", "DEMO_PROMETHEUS")?;
    let mut walk = Walk::begin("What becomes of traces while a backend is down")?;

    walk.step("The Collector's queues now, one for each backend")?;
    let before = calm(prometheus).await?;
    let capacity = Queues::now(prometheus, CAPACITY).await?;
    if capacity.0.is_empty() {
        bail!("Prometheus knows nothing of a Collector's queues: does it ask the Collector for its own metrics?");
    }
    walk.say(before.beside(&capacity))?;
    walk.say("\nWhat a backend does not take stays in its queue, on disk, and is tried again until it does.")?;
    walk.say("What is counted, each queue's `sizer` in compose/otelcol.yaml says: bytes mostly.")?;

    let asks = io::stdin().is_terminal() && io::stdout().is_terminal();
    if asks {
        walk.step("Stop the backend, in another terminal, in compose/:  docker compose stop jaeger")?;
        view_becomes(scene, false).await?;
        walk.say("The view does not answer any more.")?;
    }
    walk.step(&format!("{ORDERS} orders"))?;
    let (mut as_told, trace_ids) = orders(scene, &walk).await?;
    if asks {
        walk.step("The queues grow")?;
        as_told &= grown(&walk, prometheus, &before).await?;
        walk.step("Start the backend again:  docker compose start jaeger")?;
        view_becomes(scene, true).await?;
        walk.say("The view answers again.")?;
    }
    walk.step("Their traces")?;
    as_told &= arrived(scene, &walk, &trace_ids).await?;
    if asks {
        as_told &= drained(&walk, prometheus, &before).await?;
    } else {
        walk.step("See it happen")?;
        walk.say(BY_HAND)?;
    }
    Ok(as_told)
}

/// The queues once they are empty; as they are when one stays filled, because its backend is down already.
async fn calm(prometheus: &Prometheus) -> anyhow::Result<Queues> {
    let empty = |queues: &Queues| queues.0.values().all(|size| *size == 0.0);
    until(CALM_LIMIT, async || Queues::now(prometheus, SIZE).await, empty).await
}

/// Places the orders; each must be paid, whatever the backends do.
async fn orders(scene: &Scene, walk: &Walk) -> anyhow::Result<(bool, Vec<String>)> {
    let orders = std::iter::repeat_with(|| NewOrder::example().kept()).take(ORDERS).collect();
    let placed = place(&scene.gateway, orders).await?;
    let paid = placed.iter().filter(|placed| placed.succeeded()).count();
    let longest = placed.iter().map(|placed| placed.took).max().unwrap_or_default();
    let text = format!("{paid} of {ORDERS} orders are OK, the longest took {longest:.0?}");
    Ok((walk.check(paid == ORDERS, &text)?, trace_ids(&placed)?))
}

/// Waits until the view answers, or until it does not.
async fn view_becomes(scene: &Scene, answering: bool) -> anyhow::Result<()> {
    let answers = async || Ok(scene.backends.view.services().await.is_ok());
    let happened = until(HUMAN_LIMIT, answers, |answers| *answers == answering).await? == answering;
    ensure!(happened, "nothing has happened in {HUMAN_LIMIT:?}");
    Ok(())
}

/// Tells each change of the queues until one of them has filled.
async fn grown(walk: &Walk, prometheus: &Prometheus, before: &Queues) -> anyhow::Result<bool> {
    let full = |queues: &Queues| !queues.filled_since(before).is_empty();
    let last = watch(walk, prometheus, GROWTH_LIMIT, full).await?;
    let grown = last.filled_since(before);
    let text = if grown.is_empty() {
        "no queue has grown".to_owned()
    } else {
        format!("the traces wait in the queue of {}", grown.join(", "))
    };
    walk.check(!grown.is_empty(), &text)
}

/// Tells each change of the queues until those that filled are empty again.
async fn drained(walk: &Walk, prometheus: &Prometheus, before: &Queues) -> anyhow::Result<bool> {
    let empty = |queues: &Queues| queues.filled_since(before).is_empty();
    let last = watch(walk, prometheus, GROWTH_LIMIT, empty).await?;
    walk.check(empty(&last), "the queues have drained")
}

async fn watch(
    walk: &Walk,
    prometheus: &Prometheus,
    limit: Duration,
    enough: impl Fn(&Queues) -> bool,
) -> anyhow::Result<Queues> {
    let (started, told) = (Instant::now(), RefCell::new(Queues::default()));
    let tell = async || {
        let queues = Queues::now(prometheus, SIZE).await?;
        if told.replace(queues.clone()) != queues {
            walk.say(format!("{:>4} s  {}", started.elapsed().as_secs(), queues.line()))?;
        }
        Ok(queues)
    };
    until(limit, tell, enough).await
}

async fn arrived(scene: &Scene, walk: &Walk, trace_ids: &[String]) -> anyhow::Result<bool> {
    let started = Instant::now();
    let held = all_held(&scene.backends.view, trace_ids, ARRIVAL_LIMIT).await?;
    let (all, took) = (trace_ids.len(), started.elapsed().as_secs_f64());
    walk.check(held == all, &format!("{held} of {all} traces have arrived, {took:.1} s later"))
}

// === impl Queues ===

impl Queues {
    async fn now(prometheus: &Prometheus, expression: &str) -> anyhow::Result<Self> {
        let samples = prometheus.query(expression).await?.into_iter();
        let by_exporter = samples.filter_map(|mut sample| Some((sample.labels.remove("exporter")?, sample.value)));
        Ok(Self(by_exporter.collect()))
    }

    /// The exporters whose queue was empty before and is not now.
    fn filled_since(&self, before: &Self) -> Vec<String> {
        let empty_before = |exporter: &String| before.0.get(exporter).is_none_or(|size| *size == 0.0);
        let filled = self.0.iter().filter(|(exporter, size)| **size > 0.0 && empty_before(exporter));
        filled.map(|(exporter, _)| printable(exporter)).collect()
    }

    fn beside(&self, capacity: &Self) -> String {
        let mut rows = vec![["exporter", "in its queue", "room for"].map(str::to_owned)];
        for (exporter, capacity) in &capacity.0 {
            let size = self.0.get(exporter).copied().unwrap_or_default();
            rows.push([printable(exporter), size.to_string(), capacity.to_string()]);
        }
        table(&rows)
    }

    fn line(&self) -> String {
        let queues = self.0.iter().map(|(exporter, size)| format!("{} {size}", printable(exporter)));
        queues.collect::<Vec<_>>().join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(sizes: &[(&str, f64)]) -> Queues {
        Queues(sizes.iter().map(|(exporter, size)| ((*exporter).to_owned(), *size)).collect())
    }

    #[test]
    fn a_queue_has_filled_when_it_was_empty_before() {
        let before = queues(&[("jaeger", 0.0), ("loki", 7.0)]);
        assert!(queues(&[("jaeger", 0.0), ("loki", 8.0)]).filled_since(&before).is_empty());
        assert_eq!(
            queues(&[("jaeger", 1.0), ("loki", 0.0), ("tempo", 2.0)]).filled_since(&before),
            ["jaeger", "tempo"]
        );
    }

    #[test]
    fn sizes_stand_beside_the_room_there_is() {
        let table = queues(&[("jaeger", 222_472.0)]).beside(&queues(&[("jaeger", 67_108_864.0), ("loki", 100.0)]));
        let expected = "\
exporter  in its queue  room for
jaeger    222472        67108864
loki      0             100
";
        assert_eq!(table, expected);
        assert_eq!(queues(&[("jaeger", 1.0), ("loki", 2.0)]).line(), "jaeger 1  loki 2");
    }
}
