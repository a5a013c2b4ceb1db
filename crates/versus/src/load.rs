//! Builds the chain of servers, calls it, and measures what the calls cost this process.

use std::io;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tower::service_fn;

use crate::Error;
use crate::candidate::AllocationCount;
use crate::run::{Run, Scenario, Transport};
use crate::shop::{Order, Place, Shop};
use crate::variants::{Serving, Variant};

/// What is done with a candidate that is set up.
pub(crate) trait Work {
    type Result;

    async fn with<V: Variant>(&self, variant: &V) -> Result<Self::Result, Error>;
}

/// Calls that are measured together.
pub(crate) struct Calls<'r> {
    pub(crate) run: &'r Run,
    pub(crate) allocations: Option<AllocationCount>,
}

/// What the measured calls cost.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Cost {
    /// Until the last answer, in nanoseconds.
    pub(crate) wall: u64,
    /// Of the whole process, until everything is exported, in nanoseconds.
    pub(crate) cpu: u64,
    /// Of the whole process, until everything is exported; 0 where nobody counts.
    pub(crate) allocations: u64,
    /// The most memory that the process has held, in KiB.
    pub(crate) peak: u64,
    /// Sampled spans that have ended, those of the warm-up too.
    pub(crate) ended: u64,
}

// === impl Calls ===

impl Work for Calls<'_> {
    type Result = Cost;

    async fn with<V: Variant>(&self, variant: &V) -> Result<Cost, Error> {
        let run = self.run;
        let allocations = || self.allocations.map_or(0, |count| count());
        let mut servers = JoinSet::new();
        let caller = connect(variant, run, &mut servers).await?;
        call(&caller, run.warm_up, run.concurrency).await?;
        variant.flush().await;

        let (wall, cpu, allocated) = (Instant::now(), cpu_time(), allocations());
        call(&caller, run.requests, run.concurrency).await?;
        let wall = wall.elapsed();
        let ended = variant.flush().await;
        Ok(Cost {
            wall: nanoseconds(wall),
            cpu: nanoseconds(cpu_time().saturating_sub(cpu)),
            allocations: allocations() - allocated,
            peak: peak_memory()?,
            ended,
        })
    }
}

/// Starts the servers, the last hop first, and connects to the first one.
pub(crate) async fn connect<V: Variant>(variant: &V, run: &Run, servers: &mut JoinSet<()>) -> Result<V::Caller, Error> {
    let mut next = None;
    for hop in (0..run.scenario.hops()).rev() {
        let shop = Shop { next, steps: run.scenario == Scenario::Steps };
        let (endpoint, channel) = match run.transport {
            Transport::Tcp => over_loopback(variant, shop, servers).await?,
            Transport::Memory => in_memory(variant, shop, servers).await?,
        };
        next = Some(variant.caller(&endpoint, channel, hop));
    }
    next.ok_or_else(|| "a scenario has at least one hop".into())
}

async fn over_loopback<V: Variant>(
    variant: &V,
    shop: Shop<V::Caller>,
    servers: &mut JoinSet<()>,
) -> Result<(Endpoint, Channel), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?;
    servers.spawn(served(variant.serve(shop, TcpIncoming::from(listener).with_nodelay(Some(true)))));
    let channel = endpoint.connect().await?;
    Ok((endpoint, channel))
}

async fn in_memory<V: Variant>(
    variant: &V,
    shop: Shop<V::Caller>,
    servers: &mut JoinSet<()>,
) -> Result<(Endpoint, Channel), Error> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    servers.spawn(served(variant.serve(shop, tokio_stream::once(Ok(far)).chain(tokio_stream::pending()))));
    let mut near = Some(near);
    let connector = service_fn(move |_| {
        let near = near.take().map(TokioIo::new);
        async move { near.ok_or_else(|| io::Error::other("a pipe connects once")) }
    });
    let endpoint = Endpoint::from_static("http://shop.test:50051");
    let channel = endpoint.connect_with_connector(connector).await?;
    Ok((endpoint, channel))
}

async fn served(serving: Serving) {
    // A server that fails fails its calls, and those say why.
    let _ = serving.await;
}

/// Makes `requests` calls, `concurrency` of them at once.
async fn call<C: Place>(caller: &C, requests: u64, concurrency: u64) -> Result<(), Error> {
    let calls = |share| {
        let caller = caller.clone();
        async move {
            let order = Order::example();
            for _ in 0..share {
                caller.place(Request::new(order.clone())).await?;
            }
            Ok(())
        }
    };
    shared(requests, concurrency, calls).await.map(drop)
}

/// Has `concurrency` callers make `requests` calls together: `calls` are those of one, whose share it is told.
pub(crate) async fn shared<T, F>(requests: u64, concurrency: u64, calls: impl Fn(u64) -> F) -> Result<Vec<T>, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Status>> + Send + 'static,
{
    let mut callers = JoinSet::new();
    for number in 0..concurrency {
        callers.spawn(calls(requests / concurrency + u64::from(number < requests % concurrency)));
    }
    let mut results = Vec::new();
    while let Some(ended) = callers.join_next().await {
        results.push(ended??);
    }
    Ok(results)
}

pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The kernel's high-water mark of this process's memory, in KiB.
pub(crate) fn peak_memory() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|number| number.trim().parse().ok());
    number.ok_or_else(|| io::Error::other("/proc/self/status names no VmHWM"))
}
