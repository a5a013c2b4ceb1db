use std::fs;
use std::path::PathBuf;

use axum::Router;
use axum::extract::State;
use bytes::Bytes;
use http::StatusCode;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::*;
use crate::environment::Environment;
use crate::pipeline::closing::Closing;
use crate::pipeline::delivery::Way;
use crate::pipeline::fate::{Fate, Reason};
use crate::pipeline::otlp::Otlp;
use crate::pipeline::signal::Signal;
use crate::pipeline::spool::Spools;

const LIMIT: Duration = Duration::from_secs(20);

/// What the collector does not take, and does not say that it never will.
const REFUSED: &str = "refused";

/// A collector and what it is sent, in its order.
struct Collector {
    environment: Environment,
    received: UnboundedReceiver<Bytes>,
}

/// A process that sends to it.
struct Process {
    delivery: Arc<Delivery>,
    spool: Arc<Spool>,
    sender: Sender,
}

impl Collector {
    /// For processes with a spool in this directory.
    async fn start(directory: &TempDir) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sent, received) = unbounded_channel();
        let take = async |State(sent): State<UnboundedSender<Bytes>>, body: Bytes| {
            if body == REFUSED {
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
            let _ = sent.send(body);
            StatusCode::OK
        };
        let server = axum::serve(listener, Router::new().fallback(take).with_state(sent));
        #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
        tokio::spawn(server.into_future());
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("TELEMETRY_SPOOL_DIR", directory.path().to_str().unwrap()),
        ];
        Self { environment: settings.into_iter().collect(), received }
    }

    fn process(&self) -> Process {
        let spool = Spools::open(&self.environment, "order").unwrap().of(Signal::Traces);
        let sender = Otlp::of(&self.environment, Signal::Traces).sender(&Handle::current());
        let way = Way::Collector(Box::new(sender.clone()));
        let fate = Arc::new(Fate::new(Signal::Traces));
        let delivery = Arc::new(Delivery::new(way, Some(Arc::clone(&spool)), fate, Closing::new()));
        Process { delivery, spool, sender }
    }

    async fn receives(&mut self, body: &str) {
        let received = timeout(LIMIT, self.received.recv()).await;
        assert_eq!(received.expect(body).unwrap(), body);
    }
}

impl Process {
    fn replay(&self, look_around: Duration) {
        let replay = replay(Arc::clone(&self.delivery), Arc::clone(&self.spool), self.sender.clone(), look_around);
        #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
        tokio::spawn(replay);
    }

    fn spool(&self, body: &str) {
        self.delivery.put_aside(Bytes::copy_from_slice(body.as_bytes()), 1, Reason::ExportFailed);
    }
}

/// The first file of the process in this slot.
fn segment(directory: &TempDir, slot: u64) -> PathBuf {
    directory.path().join(format!("order-{slot}/traces/{:020}.segment", 0))
}

#[tokio::test]
async fn what_a_process_leaves_another_one_sends_that_began_before_it_ended() {
    let directory = TempDir::new().unwrap();
    let mut collector = Collector::start(&directory).await;
    let [living, other, dying, last] = [(); 4].map(|()| collector.process());
    living.replay(Duration::from_millis(1));
    other.spool("of another one that lives");
    for (process, body) in [(dying, "of the dead"), (last, "of the last")] {
        process.spool(body);
        drop(process);
        collector.receives(body).await;
    }
    assert_eq!((living.spool.status().quarantined, other.spool.status().items), (0, 1));
    // Of another version, which stands behind eight bytes of magic.
    let segment = segment(&directory, 1);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] += 1;
    fs::write(&segment, bytes).unwrap();
    drop(other);
    let set_aside = async {
        while living.spool.status().quarantined == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LIMIT, set_aside).await.unwrap();
    assert!(living.spool.is_empty());
}

#[tokio::test]
async fn a_disk_that_fails_is_not_asked_with_each_request_that_is_spooled() {
    let directory = TempDir::new().unwrap();
    let mut collector = Collector::start(&directory).await;
    let process = collector.process();
    process.spool("the first");
    let (segment, aside) = (segment(&directory, 0), directory.path().join("aside"));
    fs::rename(&segment, &aside).unwrap();
    fs::create_dir(&segment).unwrap();
    process.replay(LOOK_AROUND);
    // More often than a segment may fail.
    for number in 0..32 {
        process.spool(&number.to_string());
        yield_now().await;
    }
    fs::remove_dir(&segment).unwrap();
    fs::rename(&aside, &segment).unwrap();
    collector.receives("the first").await;
    for number in 0..32 {
        collector.receives(&number.to_string()).await;
    }
    assert_eq!(process.spool.status().lost_items, 0);
}

#[tokio::test]
async fn what_is_refused_while_others_are_taken_is_given_up_and_holds_up_nothing() {
    let directory = TempDir::new().unwrap();
    let collector = Collector::start(&directory).await;
    let process = collector.process();
    process.spool(REFUSED);
    process.spool("behind it");
    process.replay(LOOK_AROUND);
    let going_on = async {
        while process.delivery.account(0).spooled > 0 {
            process.delivery.deliver(Bytes::from_static(b"new"), 1).await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, going_on).await.unwrap();
    let account = process.delivery.account(0);
    assert_eq!((account.rejected, account.dropped.all(), account.queued), (1, 0, 0));
}

#[test]
fn a_collector_that_takes_nothing_at_all_is_asked_again_for_ever() {
    let mut refusals = Refusals::default();
    assert!((0..1000).all(|_| !refusals.are_enough(7)));
    let until_enough = (8..).position(|others| refusals.are_enough(others)).unwrap();
    assert_eq!(until_enough + 1, MOST_REFUSALS as usize);
}
