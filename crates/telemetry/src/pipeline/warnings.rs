use std::io::{self, Write};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::dispatcher::get_default;
use tracing::subscriber::NoSubscriber;

/// How often it is looked for somebody to warn.
const LISTEN_AGAIN: Duration = Duration::from_millis(50);

/// How long it is looked for somebody; after that, warnings go to stderr.
const LISTEN_FOR: Duration = Duration::from_secs(10);

/// Warns, as soon as somebody listens.
pub(super) async fn tell(warnings: Vec<String>) {
    let is_heard = || get_default(|subscriber| !subscriber.is::<NoSubscriber>());
    let heard = async {
        while !is_heard() {
            sleep(LISTEN_AGAIN).await;
        }
    };
    let is_heard = timeout(LISTEN_FOR, heard).await.is_ok();
    for warning in warnings {
        if is_heard {
            tracing::warn!("{warning}");
        } else {
            // There is nobody left to tell of a stderr that is closed.
            let _ = writeln!(io::stderr(), "{warning}");
        }
    }
}
