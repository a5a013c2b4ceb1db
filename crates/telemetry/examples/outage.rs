//! What becomes of spans while their collector is away: ends so many of them a second, and says every second what became
//! of all so far.
//!
//! ```sh
//! TELEMETRY_SPOOL_DIR=/tmp/spool cargo run -p telemetry --example outage -- 3000 120
//! ```
//!
//! That is 3000 a second, for 120 seconds. Stop the collector and start it again meanwhile; stop the program and start it
//! again, even with `kill -9`. Without the variable, what the collector does not take in ten seconds is lost, and counted.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::time::Duration;

use telemetry::{Account, Environment, Service};
use tokio::time::{MissedTickBehavior, interval};

/// How often spans are ended, a hundredth of a second's at a time.
const STEP: Duration = Duration::from_millis(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (per_second, seconds) = (number(3000)?, number(60)?);
    let telemetry = telemetry::init(Service::new("outage", "1.0.0"), Environment::from_process())?;
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for step in 0..seconds * 100 {
        steps.tick().await;
        let until = |step| per_second * step / 100;
        for number in until(step)..until(step + 1) {
            tracing::info_span!("order", number).in_scope(|| {});
        }
        if step % 100 == 99 {
            tell(telemetry.report().spans);
        }
    }
    let report = telemetry.shutdown(Duration::from_secs(3)).await;
    tell(report.spans);
    Ok(())
}

fn tell(account: Account) {
    let Account { ended, exported, spooled, queued, rejected, dropped, replayed } = account;
    let dropped = dropped.all();
    println!(
        "ended {ended} = exported {exported} + spooled {spooled} + queued {queued} + rejected {rejected} + dropped {dropped}; \
         of an earlier process: exported {}, waiting {}",
        replayed.exported, replayed.waiting
    );
}
