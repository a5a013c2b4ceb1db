//! `demo verify`: does every promise about traces hold on the system that runs?
//!
//! ```text
//! before    the services serve; the Collector is probed; the metrics stand still and are counted
//! traffic   orders of every kind, each check its own, all at once; each trace is awaited by its id
//! after     the metrics have counted exactly these orders; dependencies and alert rules
//! last      dashboards, which may need some orders more to show
//! ```

use std::process::ExitCode;

use crate::arguments::VerifyArguments;

use self::report::{Check, Report};
use self::run::Run;

mod report;
mod run;
mod last;

mod serving;
mod chain;
mod calls;
mod redaction;
mod sampling;
mod counting;
mod dependencies;
mod dashboards;

/// Checks every promise, or with `--last` that the newest orders have their traces. Exits with 1 when a check failed.
pub(crate) async fn verify(arguments: VerifyArguments) -> anyhow::Result<ExitCode> {
    let run = Run::new(&arguments.backends)?;
    let mut report = Report::new(arguments.json);
    match arguments.last {
        Some(count) => report.run(&run, vec![Check::new("newest orders", last::have_traces(&run, count))]).await?,
        None => promises(&run, &mut report).await?,
    }
    report.finish()
}

async fn promises(run: &Run, report: &mut Report) -> anyhow::Result<()> {
    let before = [
        Check::new("services", serving::all_serve(run)),
        Check::new("no secrets past the Collector", redaction::a_probe_is_redacted(run)),
        Check::silent("the metrics stand still", run.count_before()),
    ];
    let traffic = [
        Check::new("one trace", chain::the_tree_is_exact(run)),
        Check::new("calls", chain::each_call_has_both_sides(run)),
        Check::new("same trace in Tempo", chain::tempo_holds_the_same(run)),
        Check::new("logs in the trace", chain::logs_name_the_trace(run)),
        Check::new("retry", calls::a_retry_is_shown_as_attempts(run)),
        Check::new("deadline", calls::the_deadline_shrinks(run)),
        Check::new("idempotent replay", calls::a_replay_does_nothing_twice(run)),
        Check::new("no secrets from the services", redaction::services_hold_back(run)),
        Check::new("errors and slow kept", sampling::errors_and_slow_are_kept(run)),
        Check::new("healthy share", sampling::the_share_of_healthy_is_kept(run)),
    ];
    let after = [
        Check::new("metrics", counting::the_metrics_equal_the_traffic(run)),
        Check::new("dependencies", dependencies::the_chain_is_shown(run)),
        Check::new("alert rules", dashboards::rules_are_evaluated(run)),
    ];
    report.run(run, before.into()).await?;
    report.run(run, traffic.into()).await?;
    report.run(run, after.into()).await?;
    // Only when the orders are counted may there be more of them.
    report.run(run, vec![Check::new("dashboards", dashboards::every_panel_shows_data(run))]).await
}
