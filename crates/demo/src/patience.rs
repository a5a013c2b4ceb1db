//! Asking again until the answer will do.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a trace may take: services gather spans for up to 5 s, the Collector waits as long before it decides, and a
/// busy machine may take its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is asked.
const INTERVAL: Duration = Duration::from_millis(250);

/// Asks until the answer is `enough`, or until `limit` has passed; returns the last answer.
pub(crate) async fn until<T>(
    limit: Duration,
    ask: impl AsyncFn() -> anyhow::Result<T>,
    enough: impl Fn(&T) -> bool,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let answer = ask().await?;
        if enough(&answer) || Instant::now() >= deadline {
            return Ok(answer);
        }
        sleep(INTERVAL).await;
    }
}

/// Asks until there is an answer; `None` when there is none in `limit`.
pub(crate) async fn eventually<T>(
    limit: Duration,
    ask: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    until(limit, ask, Option::is_some).await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn it_is_asked_until_the_answer_will_do_or_time_is_up() {
        let asked = Cell::new(0);
        let ask = async || Ok(asked.replace(asked.get() + 1));
        assert_eq!(until(PATIENCE, ask, |answer| *answer == 1).await.unwrap(), 1);
        assert_eq!(until(Duration::ZERO, ask, |_| false).await.unwrap(), 2);
        assert_eq!(eventually(Duration::ZERO, async || Ok(None::<()>)).await.unwrap(), None);
    }
}
