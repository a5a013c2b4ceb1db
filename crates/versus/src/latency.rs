//! How long calls take whose spans a collector takes, or does not.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Request;

use crate::Error;
use crate::load::{Work, connect, cpu_time, nanoseconds, shared};
use crate::run::Run;
use crate::shop::{Order, Place};
use crate::variants::Variant;

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

impl Work for Outage {
    type Result = Latency;

    /// Makes the calls and goes away: what is not exported by then is not waited for.
    async fn with<V: Variant>(&self, variant: &V) -> Result<Latency, Error> {
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
}

impl Outage {
    /// Makes `requests` calls and says how long each took.
    async fn call<C: Place>(&self, caller: &C, requests: u64) -> Result<Vec<Duration>, Error> {
        let rest = Duration::from_millis(self.rest);
        let calls = |share| {
            let caller = caller.clone();
            async move {
                let (order, mut durations) = (Order::example(), Vec::new());
                for _ in 0..share {
                    let start = Instant::now();
                    caller.place(Request::new(order.clone())).await?;
                    durations.push(start.elapsed());
                    if !rest.is_zero() {
                        sleep(rest).await;
                    }
                }
                Ok(durations)
            }
        };
        Ok(shared(requests, self.run.concurrency, calls).await?.concat())
    }
}
