//! What the checks of one run share: where everything is, the orders placed, the trace of an ordinary order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, bail};
use proto::types::v1::{Order, OrderState};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::arguments::{BackendArguments, ServicesArguments};
use crate::backends::Backends;
use crate::columns::printable;
use crate::order::code_name;
use crate::patience::PATIENCE;
use crate::shop::{Gateway, NewOrder, Placed};
use crate::trace::Trace;
use crate::tree::{PAID_ORDER, comparable};

/// How long an order may take that names no deadline itself.
const DEADLINE: Duration = Duration::from_secs(10);

/// One run.
pub(super) struct Run {
    pub(super) services: ServicesArguments,
    pub(super) backends: Backends,
    pub(super) gateway: Gateway,
    /// What the metrics counted before the first order, or why that is not known; unset without Prometheus.
    pub(super) counted_before: OnceCell<Result<f64, String>>,
    started: Instant,
    placed: AtomicU64,
    example: OnceCell<Result<Example, String>>,
    note: Mutex<String>,
}

/// An ordinary order's trace.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) id: String,
    pub(super) trace: Trace,
}

/// What a check found out; that a promise does not hold is its error.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// It holds; what exactly.
    Held(String),
    /// It was not looked at; why.
    Skipped(String),
}

// === impl Run ===

impl Run {
    pub(super) fn new(arguments: &BackendArguments) -> anyhow::Result<Self> {
        Ok(Self {
            services: arguments.services.clone(),
            backends: Backends::new(arguments)?,
            gateway: Gateway::new(&arguments.services.gateway.gateway)?,
            counted_before: OnceCell::new(),
            started: Instant::now(),
            placed: AtomicU64::new(0),
            example: OnceCell::new(),
            note: Mutex::default(),
        })
    }

    /// Places an order and counts it. Its answer names its trace.
    pub(super) async fn place(&self, mut order: NewOrder) -> anyhow::Result<(Placed, String)> {
        let deadline = *order.deadline.get_or_insert(DEADLINE);
        let placed = self.gateway.place(order).await?;
        self.placed.fetch_add(1, Ordering::Relaxed);
        if placed.outcome.is_none() {
            bail!("the gateway has not answered an order in {deadline:?}");
        }
        let id = placed.trace_id.clone().context("the gateway's answer names no trace")?;
        Ok((placed, id))
    }

    /// Places an order that has to be paid.
    pub(super) async fn succeed(&self, order: NewOrder) -> anyhow::Result<(Order, String)> {
        let (placed, id) = self.place(order).await?;
        match &placed.outcome {
            Some(Ok(order)) if order.state() == OrderState::Paid => Ok((order.clone(), id)),
            _ => bail!("an order that should be paid was answered {} (trace {id})", answer(&placed)),
        }
    }

    /// How long ago the run began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// When that was.
    pub(super) fn began(&self) -> SystemTime {
        SystemTime::now() - self.elapsed()
    }

    /// How many orders were placed so far.
    pub(super) fn placed(&self) -> u64 {
        self.placed.load(Ordering::Relaxed)
    }

    /// A trace once it is whole and `enough`; what there is of it when that takes too long.
    pub(super) async fn trace(&self, id: &str, enough: impl Fn(&Trace) -> bool) -> anyhow::Result<Trace> {
        let recorded = self.backends.view.awaited(id, PATIENCE, enough).await?;
        let recorded = recorded.with_context(|| format!("trace {id} has not arrived in {PATIENCE:?}"))?;
        Ok(recorded.trace)
    }

    /// The trace of an ordinary order, placed when it is first asked for.
    pub(super) async fn example(&self) -> anyhow::Result<&Example> {
        let placed = async {
            let (_, id) = self.succeed(NewOrder::example().kept()).await?;
            let trace = self.trace(&id, |trace| comparable(trace).difference(PAID_ORDER).is_none()).await?;
            Ok(Example { id, trace })
        };
        let told = async { placed.await.map_err(|error: anyhow::Error| format!("{error:#}")) };
        self.example.get_or_init(|| told).await.as_ref().map_err(|error| anyhow!(error.clone()))
    }

    /// Says how far a long check is, to whoever watches.
    pub(super) fn say(&self, note: String) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = note;
    }

    /// What was said last.
    pub(super) fn note(&self) -> String {
        self.note.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

// === impl Verdict ===

impl Verdict {
    pub(super) fn held(what: impl Into<String>) -> anyhow::Result<Self> {
        Ok(Self::Held(what.into()))
    }

    pub(super) fn skipped(why: impl Into<String>) -> anyhow::Result<Self> {
        Ok(Self::Skipped(why.into()))
    }
}

/// What an order was answered, in a few words.
pub(super) fn answer(placed: &Placed) -> String {
    match &placed.outcome {
        Some(Ok(order)) => {
            let state = order.state().as_str_name().trim_start_matches("ORDER_STATE_");
            format!("OK, {state} after {:.1} s", placed.took.as_secs_f64())
        }
        Some(Err(status)) => format!("{}: {}", code_name(status.code()), printable(status.message())),
        None => "nothing".to_owned(),
    }
}
