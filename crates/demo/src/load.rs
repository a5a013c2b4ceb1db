//! `demo load`: orders at a fixed rate, and how long each took.
//!
//! The load is open: every order starts when it is due, however long those before it take, and its latency counts from
//! then. A shop that stalls is not asked less: the stall shows in each order that was due meanwhile.

use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use tokio::task::JoinSet;

use crate::arguments::LoadArguments;
use crate::screen;
use crate::shop::{Gateway, NewOrder};
use crate::signals::Signals;

use self::progress::Progress;
use self::schedule::Schedule;
use self::tally::{Ended, Tally};

mod schedule;
mod tally;
mod latencies;
mod progress;
mod summary;

/// How many orders may be under way; one that is due beyond them is a failure: it could not be started.
const MOST_IN_FLIGHT: usize = 1_000;

/// Sent along with each order, so that a gateway that hangs ends the load all the same. The services' own default.
const DEADLINE: Duration = Duration::from_secs(10);

/// Places the orders and prints the summary; exits with 1 when one of them was not simply paid.
///
/// # Errors
/// When nothing answers at the gateway from the start. If it goes away later, that is counted and the load goes on.
pub(crate) async fn load(arguments: LoadArguments) -> anyhow::Result<ExitCode> {
    let schedule = Schedule { rate: arguments.rps, duration: arguments.duration };
    let mut load = Load {
        gateway: Gateway::new(&arguments.gateway.gateway)?,
        orders: JoinSet::new(),
        tally: Tally::new(schedule),
    };
    load.run(schedule).await?;
    screen::print(summary::render(&load.tally))?;
    Ok(if load.tally.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A load that is running.
struct Load {
    gateway: Gateway,
    /// What is under way.
    orders: JoinSet<Ended>,
    /// What became of the others.
    tally: Tally,
}

// === impl Load ===

impl Load {
    /// Until each order that was due has ended. The first signal ends the load, a second one the orders under way too.
    async fn run(&mut self, schedule: Schedule) -> anyhow::Result<()> {
        let mut signals = Signals::listen()?;
        let mut progress = Progress::new();
        let started = Instant::now();
        let mut due_times = pin!(stream::iter(schedule.due_times(started)).then(schedule::reached));
        let mut more_are_due = true;
        while more_are_due || !self.orders.is_empty() {
            tokio::select! {
                due = due_times.next(), if more_are_due => match due {
                    Some(due) => self.start(due),
                    None => more_are_due = false,
                },
                Some(ended) = self.orders.join_next() => self.tally.record(ended?)?,
                () = progress.due() => progress.show(started.elapsed(), &self.tally, self.orders.len()),
                () = signals.next() => {
                    if !more_are_due {
                        break;
                    }
                    (more_are_due, self.tally.interrupted) = (false, true);
                    progress.tell(format!("stopping: {} orders are under way (once more: at once)", self.orders.len()));
                }
            }
        }
        self.tally.abandon(self.orders.len());
        self.tally.took = started.elapsed();
        progress.clear();
        Ok(())
    }

    /// Starts the order that was due at that time.
    fn start(&mut self, due: Instant) {
        if self.orders.len() >= MOST_IN_FLIGHT {
            self.tally.refuse(MOST_IN_FLIGHT);
            return;
        }
        self.tally.start(due.elapsed());
        let (gateway, order) = (self.gateway.clone(), NewOrder { deadline: Some(DEADLINE), ..NewOrder::example() });
        self.orders.spawn(async move {
            let placed = gateway.place(order).await;
            Ended { placed, latency: due.elapsed() }
        });
    }
}
