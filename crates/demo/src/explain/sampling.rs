//! `demo explain sampling`: which traces the Collector keeps, and why the metrics count all the same.

use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::future::try_join_all;

use super::Scene;
use super::orders::{all_held, held, place, trace_ids};
use super::walk::{Walk, table};
use crate::backends::SLOW_FROM;
use crate::order::code_name;
use crate::patience::PATIENCE;
use crate::shop::{NewOrder, Placed};
use crate::waterfall::duration;

use self::counted::Counted;

mod counted;
mod reason;

/// How long the view must stay as it is until no further trace is expected.
const QUIET: Duration = Duration::from_secs(3);

/// One sort of orders.
struct Sort {
    name: &'static str,
    token: &'static str,
    count: usize,
    /// Whether the caller asks to have the trace kept.
    asks: bool,
}

const SORTS: [Sort; 4] = [
    Sort { name: "declined", token: "tok_declined", count: 3, asks: false },
    Sort { name: "slow", token: "tok_slow", count: 2, asks: false },
    Sort { name: "asked for", token: "tok_visa", count: 1, asks: true },
    Sort { name: "healthy", token: "tok_visa", count: 20, asks: false },
];

/// Those orders, placed.
struct Sample {
    sort: &'static Sort,
    placed: Vec<Placed>,
    trace_ids: Vec<String>,
}

pub(super) async fn walk(scene: &Scene) -> anyhow::Result<bool> {
    let backends = &scene.backends;
    if backends.prometheus.is_none() && backends.collector.is_none() {
        bail!(
            "traces are sampled by an OpenTelemetry Collector, the demo's own keeps them all: say where it is with \
             --collector URL or DEMO_COLLECTOR=URL, or where its metrics are with --prometheus URL or DEMO_PROMETHEUS=URL"
        );
    }
    let mut walk = Walk::begin("Which traces are kept, and why the metrics count all the same")?;
    let percent = backends.kept_share * 100.0;
    walk.step("What compose/otelcol.yaml tells the Collector")?;
    walk.say(policies(percent))?;

    let before = match &backends.prometheus {
        Some(prometheus) => {
            walk.step("First the metrics have to stand still: then what they count more is these orders")?;
            Some((prometheus, Counted::before(&walk, prometheus).await?))
        }
        None => None,
    };
    walk.step("Orders of four sorts")?;
    let samples = try_join_all(SORTS.iter().map(|sort| Sample::place(scene, sort))).await?;
    walk.say(answers(&samples))?;

    walk.step("What has become of their traces")?;
    let mut as_told = traces(scene, &walk, &samples).await?;

    walk.step("What was counted meanwhile")?;
    let placed = samples.iter().map(|sample| sample.placed.len()).sum();
    match before {
        Some((prometheus, before)) => as_told &= counted::explain(&walk, prometheus, &before, placed).await?,
        None => walk.say("not looked at: no Prometheus is given (--prometheus URL or DEMO_PROMETHEUS=URL)")?,
    }

    walk.step("Change it")?;
    walk.say(change(percent))?;
    Ok(as_told)
}

fn policies(percent: f64) -> String {
    let rows = [
        ["errors", "a span of it failed"],
        ["slow", "it took long"],
        ["forced", "its caller asked for it, with x-demo-keep: 1"],
        ["rest", &format!("by chance: {percent} of 100, says TAIL_SAMPLE_PERCENT (or --sample-percent)")],
    ];
    let table = table(&rows.map(|row| row.map(str::to_owned)));
    format!(
        "It holds the spans of a trace until all should be there, and then asks its policies; one that votes for the\n\
         trace is enough:\n\n{table}"
    )
}

fn change(percent: f64) -> String {
    let (other, what) =
        if percent < 100.0 { (100, "To keep every trace again") } else { (10, "To keep a tenth of the healthy ones") };
    format!(
        "{what}, in compose/:\n\n  TAIL_SAMPLE_PERCENT={other} docker compose up -d otelcol\n  \
         TAIL_SAMPLE_PERCENT={other} demo explain sampling"
    )
}

// === impl Sample ===

impl Sample {
    async fn place(scene: &Scene, sort: &'static Sort) -> anyhow::Result<Self> {
        let order = || {
            let order = NewOrder { token: sort.token.to_owned(), ..NewOrder::example() };
            if sort.asks { order.kept() } else { order }
        };
        let orders = std::iter::repeat_with(order).take(sort.count).collect();
        let placed = place(&scene.gateway, orders).await?;
        Ok(Self { sort, trace_ids: trace_ids(&placed)?, placed })
    }

    /// Whether chance decides about these traces.
    fn is_left_to_chance(&self) -> bool {
        self.sort.token == "tok_visa" && !self.sort.asks
    }

    /// The traces about which nothing but chance decides: an order that failed or took long is kept for that.
    fn ordinary(&self) -> impl Iterator<Item = String> {
        let orders = self.placed.iter().zip(&self.trace_ids);
        orders.filter(|(placed, _)| placed.succeeded() && placed.took < SLOW_FROM).map(|(_, id)| id.clone())
    }
}

/// A line for each sort: how many were placed, what they were answered, how long they took at most.
fn answers(samples: &[Sample]) -> String {
    let mut rows = vec![["", "placed", "answer", "took up to"].map(str::to_owned)];
    for Sample { sort, placed, .. } in samples {
        let mut codes: Vec<_> = placed.iter().map(answer).collect();
        codes.sort_unstable();
        codes.dedup();
        let longest = placed.iter().map(|placed| placed.took).max().unwrap_or_default();
        let longest = duration(u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX));
        rows.push([sort.name.to_owned(), placed.len().to_string(), codes.join(", "), longest]);
    }
    table(&rows)
}

fn answer(placed: &Placed) -> String {
    match &placed.outcome {
        Some(Ok(_)) => "OK".to_owned(),
        Some(Err(status)) => code_name(status.code()),
        None => "none".to_owned(),
    }
}

/// Waits for the traces, and says how many of each sort the view holds and why.
async fn traces(scene: &Scene, walk: &Walk, samples: &[Sample]) -> anyhow::Result<bool> {
    let (view, started) = (&scene.backends.view, Instant::now());
    let (chance, certain): (Vec<_>, Vec<_>) = samples.iter().partition(|sample| sample.is_left_to_chance());
    let certain: Vec<_> = certain.iter().flat_map(|sample| sample.trace_ids.clone()).collect();
    let ordinary: Vec<_> = chance.iter().flat_map(|sample| sample.ordinary()).collect();
    let certain_held = all_held(view, &certain, PATIENCE).await?;
    let seen = started.elapsed().as_secs_f64();
    let ordinary_held = settled(scene, &ordinary).await?;

    let mut rows = vec![["", "placed", "kept", "why"].map(str::to_owned)];
    for sample in samples {
        let kept = held(view, &sample.trace_ids).await?;
        let why = reason::of(view, sample).await?;
        rows.push([sample.sort.name.to_owned(), sample.placed.len().to_string(), kept.to_string(), why]);
    }
    walk.say(table(&rows))?;
    let text = format!(
        "every trace that must be kept is: {certain_held} of {}, {seen:.1} s after the last answer",
        certain.len()
    );
    let kept = walk.check(certain_held == certain.len(), &text)?;
    Ok(share(scene, walk, ordinary_held, ordinary.len())? & kept)
}

/// Whether as many of the healthy traces are kept as the demo was told.
fn share(scene: &Scene, walk: &Walk, kept: usize, placed: usize) -> anyhow::Result<bool> {
    let (percent, expected) = (scene.backends.kept_share * 100.0, scene.backends.expected_of(placed));
    let (least, most) = (expected.start(), expected.end());
    let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let text = format!("by chance {kept} of {placed} healthy ones are kept, expected at {percent} %: {range}");
    let as_told = walk.check(expected.contains(&kept), &text)?;
    if !as_told {
        walk.say("  is --sample-percent or TAIL_SAMPLE_PERCENT here what the Collector has?")?;
    }
    Ok(as_told)
}

/// How many of the traces there are once no more arrive.
async fn settled(scene: &Scene, ids: &[String]) -> anyhow::Result<usize> {
    let view = &scene.backends.view;
    let mut count = held(view, ids).await?;
    loop {
        // It ends early when all are there.
        let later = all_held(view, ids, QUIET).await?;
        if later == count || later == ids.len() {
            return Ok(later);
        }
        count = later;
    }
}
