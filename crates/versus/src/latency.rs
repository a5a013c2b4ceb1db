//! How long calls take whose spans a collector takes, or does not.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Request;

use crate::Error;
use crate::candidate::runtime;
use crate::load::{connect, cpu_time, nanoseconds};
use crate::run::{Candidate, Run};
use crate::shop::{Order, Place};
use crate::variants::Variant;
use crate::variants::bare::Bare;
use crate::variants::ours::Ours;
use crate::variants::tutorial::Tutorial;

/// Calls whose durations are measured one by one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Outage {
    pub(crate) run: Run,
    /// How long a caller rests before its next call, in milliseconds.
    pub(crate) rest: u64,
}

/// How long the measured calls took, in nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    /// CPU time of the whole process meanwhile.
    pub(crate) cpu: u64,
}

// === impl Outage ===

impl Outage {
    /// Makes the calls and goes away: what is not exported by then is not waited for.
    pub(crate) fn measured(&self) -> Result<Latency, Error> {
        let runtime = runtime(self.run.transport)?;
        match self.run.candidate {
            Candidate::Bare => runtime.block_on(self.of(&Bare::install()?)),
            Candidate::Ours | Candidate::OursWhole => runtime.block_on(self.of(&Ours::install(&self.run)?)),
            Candidate::Tutorial => runtime.block_on(self.of(&Tutorial::install(&self.run)?)),
            Candidate::TonicTracingOpentelemetry | Candidate::TowerOtel => {
                Err("it has the pipeline of the tutorial: measure that".into())
            }
        }
    }

    async fn of<V: Variant>(&self, variant: &V) -> Result<Latency, Error> {
        let mut servers = JoinSet::new();
        let caller = connect(variant, &self.run, &mut servers).await?;
        self.call(&caller, self.run.warm_up).await?;
        let cpu = cpu_time();
        let mut durations = self.call(&caller, self.run.requests).await?;
        let cpu = nanoseconds(cpu_time().saturating_sub(cpu));
        durations.sort_unstable();
        let at = |part: f64| durations[((durations.len() - 1) as f64 * part).round() as usize];
        Ok(Latency { p50: nanoseconds(at(0.5)), p99: nanoseconds(at(0.99)), cpu })
    }

    /// Makes `requests` calls and says how long each took.
    async fn call<C: Place>(&self, caller: &C, requests: u64) -> Result<Vec<Duration>, Error> {
        let Run { concurrency, .. } = self.run;
        let mut callers = JoinSet::new();
        for number in 0..concurrency {
            let share = requests / concurrency + u64::from(number < requests % concurrency);
            let (caller, rest) = (caller.clone(), Duration::from_millis(self.rest));
            callers.spawn(async move {
                let (order, mut durations) = (Order::example(), Vec::new());
                for _ in 0..share {
                    let start = Instant::now();
                    caller.place(Request::new(order.clone())).await?;
                    durations.push(start.elapsed());
                    if !rest.is_zero() {
                        sleep(rest).await;
                    }
                }
                Ok::<_, tonic::Status>(durations)
            });
        }
        let mut durations = Vec::new();
        while let Some(ended) = callers.join_next().await {
            durations.append(&mut ended??);
        }
        Ok(durations)
    }
}
