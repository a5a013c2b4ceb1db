//! What a load came to, for a reader.

use std::time::Duration;

use crate::columns::{printable, width};
use crate::load::tally::Tally;
use crate::waterfall::duration;

/// The counts, the latencies, and the first failures.
pub(super) fn render(tally: &Tally) -> String {
    let mut text = format!("{}\n\n{}", headline(tally), outcomes(tally));
    if tally.latencies.count() > 0 {
        let latencies = &tally.latencies;
        let answers = match latencies.count() {
            1 => "one answer, from when its order was due".to_owned(),
            count => format!("{count} answers, each from when its order was due"),
        };
        text += &format!("\nlatency of the {answers}\n\n");
        text += &format!("{}\n  {}\n", latencies.bars(), latencies.percentiles());
    }
    if !tally.failures.is_empty() {
        text += "\nthe first failures that differ\n\n";
        for failure in &tally.failures {
            let trace = failure.trace_id.as_ref().map(|id| format!("  (trace {})", printable(id))).unwrap_or_default();
            let message = if failure.message.is_empty() { "without a message" } else { &failure.message };
            text += &format!("  {}: {message}{trace}\n", failure.outcome);
        }
    }
    text.trim_end().to_owned()
}

/// `750 orders in 30.0 s: 25.0 a second, asked for were 25; …`
fn headline(tally: &Tally) -> String {
    let length = if tally.interrupted { tally.took } else { tally.took.max(tally.schedule.duration) };
    let rate = rate(tally.latencies.count(), length);
    let early = if tally.interrupted { ", ended early" } else { "" };
    let (sent, seconds, asked) = (tally.sent, length.as_secs_f64(), tally.schedule.rate);
    let orders = if sent == 1 { "order" } else { "orders" };
    let late = duration(u64::try_from(tally.latest.as_nanos()).unwrap_or(u64::MAX));
    format!(
        "{sent} {orders} sent in {seconds:.1} s{early}, none more than {late} after it was due\n\
         {rate:.1} answers a second, asked for were {asked}"
    )
}

fn rate(answers: u64, length: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let answers = answers as f64;
    answers / length.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn outcomes(tally: &Tally) -> String {
    let rows: Vec<_> = tally.outcomes.iter().map(|(outcome, count)| (outcome.to_string(), count.to_string())).collect();
    let names = rows.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
    let counts = rows.iter().map(|(_, count)| width(count)).max().unwrap_or_default();
    rows.iter().map(|(name, count)| format!("  {name:<names$}  {count:>counts$}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::schedule::Schedule;
    use crate::load::tally::Ended;
    use crate::load::tally::tests::{paid, refused};

    fn tally() -> Tally {
        let mut tally = Tally::new(Schedule { rate: 2, duration: Duration::from_secs(2) });
        for (latency, placed) in [(8, paid()), (9, paid()), (11, refused("items", Some("4bf9")))] {
            tally.start(Duration::from_micros(70));
            tally.record(Ended { placed: Ok(placed), latency: Duration::from_millis(latency) }).unwrap();
        }
        tally.took = Duration::from_millis(1_511);
        tally
    }

    #[test]
    fn a_summary_tells_counts_latencies_and_failures() {
        let mut tally = tally();
        tally.refuse(1_000);
        let expected = "\
3 orders sent in 2.0 s, none more than 70 µs after it was due
1.5 answers a second, asked for were 2

  OK                    2
  INVALID_ARGUMENT      1
  could not be started  1

latency of the 3 answers, each from when its order was due

   7.0 ms to 10.0 ms  ████████████████████████████████████████ 2
  10.0 ms to 15.0 ms  ████████████████████ 1

  p50 9.0 ms   p90 11.0 ms   p99 11.0 ms   p99.9 11.0 ms   max 11.0 ms

the first failures that differ

  INVALID_ARGUMENT: items: is wrong  (trace 4bf9)
  could not be started: 1000 orders were under way already";
        assert_eq!(render(&tally), expected);
    }

    #[test]
    fn what_did_not_happen_is_not_told() {
        let mut tally = Tally::new(Schedule { rate: 1, duration: Duration::from_secs(60) });
        tally.start(Duration::ZERO);
        tally.abandon(1);
        (tally.interrupted, tally.took) = (true, Duration::from_millis(500));
        let expected = "\
1 order sent in 0.5 s, ended early, none more than 0 µs after it was due
0.0 answers a second, asked for were 1

  not waited for  1";
        assert_eq!(render(&tally), expected);
    }

    #[test]
    fn one_answer_is_no_plural() {
        let mut tally = Tally::new(Schedule { rate: 1, duration: Duration::from_secs(1) });
        tally.start(Duration::ZERO);
        tally.record(Ended { placed: Ok(paid()), latency: Duration::from_millis(8) }).unwrap();
        assert!(render(&tally).contains("\nlatency of the one answer, from when its order was due\n"));
    }

    #[test]
    fn the_rate_is_of_what_was_answered_until_the_last_answer() {
        let mut tally = tally();
        tally.took = Duration::from_secs(6);
        assert!(render(&tally).contains("in 6.0 s, none more than 70 µs after it was due\n0.5 answers a second"));
    }
}
