use std::future::Future;
use std::pin::Pin;
use std::task::Context as TaskContext;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{scope, semconv};

/// The header that carries a deadline, as the time that is left
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The most that eight digits of the largest unit can say is ten thousand years; one keeps clocks from overflowing.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The moment after which nobody waits for the answer of a call any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// What wakes a task at its deadline. Made when it is first needed: many calls are done before they wait for anything.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

// === impl Deadline ===

impl Deadline {
    /// The deadline of the call that is being served, if there is one. It is known where the handler runs, and in tasks that
    /// [`spawn`](crate::spawn) and [`spawn_detached`](crate::spawn_detached) have made.
    pub fn current() -> Option<Self> {
        scope::deadline()
    }

    /// The time that is left; zero once the deadline has passed.
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit.min(LONGEST))
    }

    pub(crate) fn has_passed(&self) -> bool {
        self.0 <= Instant::now()
    }

    /// Whether the deadline has passed; if not, `task` is woken when it does.
    pub(crate) fn poll_passed(self, timer: &mut Timer, task: &mut TaskContext<'_>) -> bool {
        let sleep = timer.0.get_or_insert_with(|| Box::pin(sleep_until(self.0)));
        sleep.as_mut().poll(task).is_ready()
    }
}

/// The time that a request's `grpc-timeout` leaves; `None` if it has none or one that breaks the grammar.
pub(crate) fn requested(headers: &HeaderMap) -> Option<Duration> {
    parse(headers.get(GRPC_TIMEOUT)?.as_bytes())
}

/// The attribute of a call that has `left`, in whole milliseconds.
pub(crate) fn attribute(left: Duration) -> KeyValue {
    KeyValue::new(semconv::GRPC_TIMEOUT_MS, left.min(LONGEST).as_millis() as i64)
}

/// One to eight digits and a unit.
fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(value * 3600)),
        b'M' => Some(Duration::from_secs(value * 60)),
        b'S' => Some(Duration::from_secs(value)),
        b'm' => Some(Duration::from_millis(value)),
        b'u' => Some(Duration::from_micros(value)),
        b'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// `left` as a `grpc-timeout` that is never longer: in the finest unit that fits eight digits, rounded down.
pub(crate) fn header(left: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let text = if left.as_micros() <= MOST {
        format!("{}u", left.as_micros())
    } else if left.as_millis() <= MOST {
        format!("{}m", left.as_millis())
    } else {
        format!("{}S", left.as_secs())
    };
    HeaderValue::try_from(text).expect("digits and a letter are a valid header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Duration>) {
        assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
    }

    #[test]
    fn timeouts_follow_the_grammar() {
        check("1S", Some(Duration::from_secs(1)));
        check("99999999u", Some(Duration::from_micros(99_999_999)));
        check("0m", Some(Duration::ZERO));
        check("2H", Some(Duration::from_secs(7200)));
        check("3M", Some(Duration::from_secs(180)));
        check("5n", Some(Duration::from_nanos(5)));
        for bad in ["", "S", "1", "1s", "123456789S", "-1S", "+1S", " 1S", "1 S", "1.5S"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_formatted_timeout_is_never_longer_than_what_is_left() {
        for left in [Duration::ZERO, Duration::from_nanos(1999), Duration::from_secs(100), Duration::from_secs(90_000)]
        {
            let sent = parse(header(left).as_bytes()).unwrap();
            assert!(sent <= left && left - sent < Duration::from_millis(1), "{left:?} {sent:?}");
        }
    }

    #[test]
    fn the_attribute_is_a_whole_number_of_milliseconds() {
        assert_eq!(attribute(Duration::from_micros(1_999)), KeyValue::new("grpc.timeout_ms", 1_i64));
        assert_eq!(attribute(Duration::MAX), KeyValue::new("grpc.timeout_ms", 31_536_000_000_i64));
    }
}
